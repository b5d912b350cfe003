#!/usr/bin/env bash
# Every output of every program on a disk that is full: each single write, sync, truncation and rename of it fails once (and, for some, from
# there on). Exit status 1 with the reason, no crash, the old file or the whole new one, nothing unfinished; a training run continues.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
sanitized && skip "sanitizers' libraries must be loaded first"

export OMP_NUM_THREADS=1
bin=$ELMPI_BIN
disk=$scratch/disk
mkdir "$disk"

# The n-th operation (ELMPI_TEST_FAIL) on a file below ELMPI_TEST_DISK fails for want of space, with ELMPI_TEST_ON all that follow too. Heartbeats
# and the mark of an ended claim may fail.
cat >"$scratch/full.c" <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int operations;

static int is_full_in(const char *call, const char *path)
{
    const char *disk = getenv("ELMPI_TEST_DISK"), *fail = getenv("ELMPI_TEST_FAIL");
    if (!disk || !fail || strncmp(path, disk, strlen(disk)) || strstr(path, "/heartbeat-"))
        return 0;
    const int now = atomic_fetch_add(&operations, 1) + 1, due = atoi(fail);
    if (now != due && !(now > due && getenv("ELMPI_TEST_ON")))
        return 0;
    const int mark = open(getenv("ELMPI_TEST_MARK"), O_WRONLY | O_CREAT | O_TRUNC, 0666);
    dprintf(mark, "%s, operation %d on %s\n", call, now, path);
    close(mark);
    errno = ENOSPC;
    return 1;
}

static int is_full_at_in(const char *call, int file)
{
    char link[64], path[4096] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if ((fcntl(file, F_GETFL) & O_APPEND) || readlink(link, path, sizeof path - 1) < 0)
        return 0;
    return is_full_in(call, path);
}

#define is_full(path) is_full_in(__func__, path)
#define is_full_at(file) is_full_at_in(__func__, file)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
ssize_t write(int file, const void *bytes, size_t size) { return is_full_at(file) ? -1 : REAL(write)(file, bytes, size); }
ssize_t pwrite(int file, const void *bytes, size_t size, off_t at) { return is_full_at(file) ? -1 : REAL(pwrite)(file, bytes, size, at); }
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t at) { return is_full_at(file) ? -1 : REAL(pwrite64)(file, bytes, size, at); }
int fsync(int file) { return is_full_at(file) ? -1 : REAL(fsync)(file); }
int fdatasync(int file) { return is_full_at(file) ? -1 : REAL(fdatasync)(file); }
int ftruncate(int file, off_t size) { return is_full_at(file) ? -1 : REAL(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return is_full_at(file) ? -1 : REAL(ftruncate64)(file, size); }
int posix_fallocate(int file, off_t at, off_t size) { return is_full_at(file) ? ENOSPC : REAL(posix_fallocate)(file, at, size); }
int rename(const char *from, const char *to) { return is_full(to) ? -1 : REAL(rename)(from, to); }
int symlink(const char *to, const char *from) { return is_full(from) ? -1 : REAL(symlink)(to, from); }
C
cc -shared -fPIC -o "$scratch/full.so" "$scratch/full.c" -ldl

# strike N COMMAND...: with the n-th operation failing. 1: there is none such any more. The exit status is in $code.
strike() {
    local n=$1
    shift
    code=0
    rm -f "$scratch/mark"
    ELMPI_TEST_DISK=$disk/ ELMPI_TEST_FAIL=$n ELMPI_TEST_MARK=$scratch/mark LD_PRELOAD=$scratch/full.so \
        timeout --kill-after=10 "$limit" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || code=$?
    [ -e "$scratch/mark" ]
}

nothing_unfinished() {
    [ -z "$(find "$disk" -name '*.tmp-*' -o -name '*.part')" ] || fail "$row: left unfinished: $(find "$disk")"
}

# check FILE: after a strike on a program that writes this one file, which was "old".
check() {
    # HDF5 may write once more, and then well.
    if [ "$code" -eq 0 ] && [ -z "${ELMPI_TEST_ON:-}" ] && [ "$($digest "$1")" = "$whole" ]; then return; fi
    [ "$code" -eq 1 ] || fail "$row: exit code $code ($(cat "$scratch/mark"))"
    says stderr "error: .*(disk full|No space left|HDF5 failed)"
    nothing_unfinished
    [ "$(cat "$1")" = old ] 2>/dev/null || [ "$($digest "$1")" = "$whole" ] || fail "$row: the file is neither the old nor the new one"
}

# A file's content, less what a later start may write otherwise.
digest=content
content() {
    sha256sum <"$1"
}

# every FILE STEP COMMAND...: each operation fails once; with STEP > 1 only each STEP-th.
every() {
    local file=$1 step=$2 n=1 on
    shift 2
    rm -rf "${disk:?}"/*
    expect 0 "$@"
    whole=$($digest "$file")
    for on in "" yes; do
        n=1
        while :; do
            rm -rf "${disk:?}"/*
            echo old >"$file"
            row="$* (operation $n${on:+ and all after})"
            if [ -n "$on" ]; then export ELMPI_TEST_ON=yes; else unset ELMPI_TEST_ON; fi
            strike "$n" "$@" || break
            check "$file"
            n=$((n + step))
            rows=$((rows + 1))
        done
        [ "$code" -eq 0 ] || fail "$row: exit code $code without a failure"
        [ -z "$on" ] && [ "$n" -gt 1 ] || [ -n "$on" ] || fail "$row: no operation was counted"
        step=$((step * 3))
    done
    unset ELMPI_TEST_ON
}

rows=0
store=$scratch/digits.h5
run=$scratch/run
expect 0 "$bin/elmpi-prepare" digits --out "$store"
cat >"$scratch/job.ini" <<INI
[run]
name = x
tensorboard = true
[data]
store = $store
[model]
name = mlp:8
[optim]
epochs = 2
batch = 1000
INI
expect 0 "$bin/elmpi-train" "$scratch/job.ini" --run-dir "$run"
evaluate=("$bin/elmpi-evaluate" "$run/checkpoint.h5" --quiet)
every "$disk/e.json" 1 "${evaluate[@]}" --json "$disk/e.json"
every "$disk/a.h5" 8 "${evaluate[@]}" --json "$scratch/e.json" --embeddings "$disk/a.h5"
every "$disk/a.h5" 17 "${evaluate[@]}" --json "$scratch/e.json" --analysis "$disk/a.h5"
every "$disk/x.onnx" 1 "$bin/elmpi-export" "$run/checkpoint.h5" --to "$disk/x.onnx"
every "$disk/x.safetensors" 1 "$bin/elmpi-export" "$run/checkpoint.h5" --to "$disk/x.safetensors"
every "$disk/d.h5" 4 "$bin/elmpi-prepare" digits --out "$disk/d.h5" --force
trace() { # times differ
    sed 's/[0-9.]//g' "$1" | sort -u | head -n 3
}
digest=trace
every "$disk/t.json" 1 "$bin/elmpi-bench" --model mlp:8 --steps 2 --batch 8 --timeline "$disk/t.json"
if command -v gnuplot >/dev/null; then
    page() { # the page says when it was made
        grep -c '<svg' "$1"
    }
    digest=page
    every "$disk/r.html" 15 "$bin/elmpi-report" "$run" --out "$disk/r.html"
fi

# Images: shards, journal, report and store. The second attempt continues, and gives what one alone gives.
/usr/bin/python3 - "$scratch/images" <<'PY'
import os, struct, sys, zlib
def png(path, seed):
    w = h = 16
    rows = b"".join(b"\0" + bytes((seed * 7 + x * y) % 256 for x in range(3 * w)) for y in range(h))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
for part in "train", "test":
    for c in range(2):
        os.makedirs(f"{sys.argv[1]}/{part}/class{c}")
        for i in range(4):
            png(f"{sys.argv[1]}/{part}/class{c}/{i}.png", i + 9 * c)
open(f"{sys.argv[1]}/train/class0/broken.png", "wb").write(b"\x89PNG\r\n\x1a\n")
PY
rm -rf "${disk:?}"/*
prepare=("$bin/elmpi-prepare" pictures --archive "$scratch/images" --copy --out "$disk/p.h5")
expect 0 "${prepare[@]}"
rm -rf "$scratch/whole"
cp -r "$disk" "$scratch/whole"
for ((n = 1; ; n += 7)); do
    rm -rf "${disk:?}"/*
    row="${prepare[*]} (operation $n)"
    strike "$n" "${prepare[@]}" || break
    [ "$code" -eq 1 ] || fail "$row: exit code $code ($(cat "$scratch/mark"))"
    says stderr "error: .*(disk full|No space left|HDF5 failed)"
    nothing_unfinished
    expect 0 "${prepare[@]}" --force
    diff -r "$disk" "$scratch/whole" >/dev/null || fail "$row: the second attempt gives something else: $(diff -rq "$disk" "$scratch/whole" || true)"
    rows=$((rows + 1))
done

# A run: whatever fails, --resume ends like the undisturbed run.
train=("$bin/elmpi-train" "$scratch/job.ini" --run-dir "$disk/run")
for ((n = 1; ; n += 5)); do
    rm -rf "${disk:?}"/*
    row="${train[*]} (operation $n)"
    strike "$n" "${train[@]}" || break
    [ "$code" -eq 1 ] || fail "$row: exit code $code ($(cat "$scratch/mark"))"
    says stderr "error: .*(disk full|No space left)"
    nothing_unfinished
    expect 0 "${train[@]}" --resume
    for part in /model /optimizer /history/loss; do
        h5diff -q "$run/checkpoint.h5" "$disk/run/checkpoint.h5" "$part" || fail "$row: $part is another than the undisturbed run's"
    done
    same "$run/evaluation.json" "$disk/run/evaluation.json"
    rows=$((rows + 1))
done
echo "$rows failures of an output survived"

# Standard output is an output too.
for command in "elmpi-evaluate $run/checkpoint.h5 --json -" "elmpi-evaluate $run/checkpoint.h5 --json $scratch/e.json" "elmpi-methods" "elmpi-prepare --help" \
    "elmpi-bench --peak --json"; do
    code=0
    # shellcheck disable=SC2086 # words
    "$bin"/$command >/dev/full 2>"$scratch/stderr" || code=$?
    [ "$code" -eq 1 ] || fail "$command >/dev/full: exit code $code"
    says stderr 'error: .*(No space left|disk full)'
done
