#!/usr/bin/env bash
# The disk fails: full, quota or file limit reached, read-only, gone. The job ends on every rank with a clear message, the last good checkpoint is
# whole, nothing unfinished is left where it can be removed, and once the cause is gone --resume reaches the undisturbed weights.
# Small disks are mounted in a mount table of the test's own, which needs root; without, those parts are left out.
set -euo pipefail
if [ "${ELMPI_DISK_OWN_MOUNTS:-}" != yes ] && [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
    ELMPI_DISK_OWN_MOUNTS=yes exec unshare -m --propagation private bash "$0"
fi
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
trap 'umount "$scratch/disk" 2>/dev/null || true; rm -rf "$scratch"' EXIT

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
disk=$scratch/disk
run=$disk/run
mkdir "$disk"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
# 25 checkpoints of some 20 kB, all kept.
settings=("$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --set optim.batch=100 --set optim.epochs=25
    --set checkpoint.every_epochs=1 --set checkpoint.keep=0)
expect_mpi 0 3 "$train" "${settings[@]}" --run-dir "$scratch/calm"
size=$(stat -Lc %s "$scratch/calm/checkpoint.h5")

# fails WHAT SAYS [COMMAND...]: on 3 ranks, each of them started by the command.
fails() {
    what=$1
    local says=$2
    shift 2
    expect_mpi 1 3 "$@" "$train" "${settings[@]}" --run-dir "$run" --resume
    says stderr "elmpi-train: error: .*($says)"
    [ "$(grep -c "elmpi-train: error" "$scratch/stderr")" -eq 1 ] || fail "$what: the cause is not told once"
}

# nothing_unfinished
nothing_unfinished() {
    if compgen -G "$run/*.tmp-*" >/dev/null; then
        fail "$what: left unfinished: $(ls "$run")"
    fi
}

# last_is_good: checkpoint.h5 is whole (docs/checkpoint.md).
last_is_good() {
    local promised found
    promised=$(head -c 512 "$run/checkpoint.h5" | sed -n 's/^sha256 //p' | tr -d '\0')
    found=$(tail -c +513 "$run/checkpoint.h5" | sha256sum)
    [ -n "$promised" ] || fail "$what: no checkpoint"
    [ "$promised" = "${found%% *}" ] || fail "$what: the last checkpoint is not whole"
}

# ends_like_the_calm_run
parts=()
ends_like_the_calm_run() {
    local part
    expect_mpi 0 3 "$train" "${settings[@]}" --run-dir "$run" --resume
    says stdout "$1"
    for part in /model /optimizer /history/loss; do
        h5diff -q "$scratch/calm/checkpoint.h5" "$run/checkpoint.h5" "$part" || fail "$what: $part is another than the undisturbed run's"
    done
    nothing_unfinished
    parts+=("$what")
}

# --- the file-size limit, for everybody
mkdir "$disk/plain"
run=$disk/plain/run
expect_mpi 0 3 "$train" "${settings[@]}" --run-dir "$run" --max-steps 20
fails "a limit on file sizes" "file too large" bash -c "ulimit -f $((size / 2048)); exec \"\$@\"" limited
nothing_unfinished
last_is_good
ends_like_the_calm_run "Resuming from checkpoint-1-20.h5"

# --- a quota that is used up, as the system would say it
cat >"$scratch/quota.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
ssize_t write(int file, const void *bytes, size_t size)
{
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, path, sizeof path - 1) > 0 && strstr(path, "/checkpoint-")) {
        errno = EDQUOT;
        return -1;
    }
    return ((ssize_t (*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write"))(file, bytes, size);
}
C
if ! sanitized; then # whose run-time library must be the first to be loaded
    cc -shared -fPIC -o "$scratch/quota.so" "$scratch/quota.c"
    run=$disk/plain/quota
    expect_mpi 0 3 "$train" "${settings[@]}" --run-dir "$run" --max-steps 20
    fails "a quota" "quota reached" env LD_PRELOAD="$scratch/quota.so"
    nothing_unfinished
    last_is_good
    ends_like_the_calm_run "Resuming from checkpoint-1-20.h5"
fi

# --- the folder is removed while the run is at work
run=$disk/plain/gone
what="a folder that vanished"
(exec timeout "$limit" "${mpirun[@]}" -np 3 "$train" "${settings[@]}" --set optim.epochs=2000 --run-dir "$run" >"$scratch/stdout" 2>"$scratch/stderr") &
job=$!
wait_for_checkpoint "$run"
mv "$run" "$run.aside" # in one instant: rm -r would race with the files that appear
code=0
wait "$job" || code=$?
[ "$code" -eq 1 ] || fail "$what: exit code $code"
says stderr "elmpi-train: error: .*No such file"
mv "$run.aside" "$run"
last_is_good
parts+=("$what")

if [ "${ELMPI_DISK_OWN_MOUNTS:-}" = yes ] && mount -t tmpfs -o size=$((10 * size / 1024))k elmpi-test "$disk" 2>/dev/null; then
    run=$disk/run

    # --- full
    fails "a full disk" "disk full"
    nothing_unfinished
    last_is_good
    fails "a disk that is still full" "disk full|No space left"
    last_is_good
    mount -o remount,size=64m "$disk"
    what="a full disk"
    ends_like_the_calm_run "Resuming from checkpoint-"
    rm -rf "$run"

    # --- read-only from the start, and from the middle of a run on
    expect_mpi 0 3 "$train" "${settings[@]}" --run-dir "$run" --max-steps 60
    mount -o remount,ro "$disk"
    fails "a read-only disk" "read-only file system"
    last_is_good
    mount -o remount,rw "$disk"
    ends_like_the_calm_run "Resuming from checkpoint-1-60.h5"
    rm -rf "$run"
else
    echo "left out without root: a full disk, a read-only disk"
fi
printf 'survived: %s\n' "${parts[@]}"
