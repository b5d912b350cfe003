#!/usr/bin/env bash
# Every job file of jobs/ resolves and runs two steps, on small stores instead of its own: digits for CIFAR, a few drawn pictures for the sets
# of pictures. A new job file is covered without a change here.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

train=$ELMPI_BIN/elmpi-train
jobs=$ELMPI_SOURCE/jobs
export OMP_NUM_THREADS=1
need /usr/bin/python3 "Python, which draws the pictures"

# Ten classes of 12 down to 3 pictures in plain PNG, which Python writes without further modules.
draw_pictures() {
    /usr/bin/python3 - "$1" <<'PYTHON'
import os, random, struct, sys, zlib

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

random.seed(0)
for label in range(10):
    for split, count in ("train", 12 - label), ("test", 1):
        folder = f"{sys.argv[1]}/{split}/class{label}"
        os.makedirs(folder)
        for i in range(count):
            width, height = random.randint(34, 50), random.randint(34, 50)
            rows = b"".join(b"\0" + bytes((label * 25 + random.randint(0, 20)) % 256 for _ in range(3 * width)) for _ in range(height))
            header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
            with open(f"{folder}/{split}{label}-{i}.png", "wb") as file:
                file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
PYTHON
    local split
    for split in train test; do
        (cd "$1/$split" && find . -name '*.png' | sort | sed -E 's|^\./class([0-9])(/.*)|class\1\2 \1|') >"$1/$split.txt"
    done
    tar -C "$1/train" -cf "$1/pictures.tar" .
    tar -C "$1/test" -rf "$1/pictures.tar" .
}

echo "stores"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/two-moons.h5"
mkdir "$scratch/drawn"
draw_pictures "$scratch/drawn"
expect 0 "$ELMPI_BIN/elmpi-prepare" pictures --archive "$scratch/drawn/pictures.tar" --train-list "$scratch/drawn/train.txt" \
    --test-list "$scratch/drawn/test.txt" --strict --out "$scratch/pictures.h5"

# store_of JOB, settings_of JOB: what stands in for its data and makes it small; the job's own model and batch take hours.
store_of() {
    case $(basename "$1") in
    two-moons-*) echo two-moons ;;
    digits-* | cifar*) echo digits ;;
    *) echo pictures ;;
    esac
}
settings_of() {
    local store first
    store=$(store_of "$1")
    first=$scratch/first/$store/checkpoint.h5
    printf '%s\n' --set "data.store=$scratch/$store.h5" --set data.imbalance=0 --set optim.batch=16
    case $store in
    digits) printf '%s\n' --set model.name=cifar-resnet8 ;;
    pictures) printf '%s\n' --set model.name=cifar-resnet8 --set data.crop=32 --set data.resize=36 --set data.threads=1 ;;
    esac
    if [ -e "$first" ] && grep -Eq '^init *=' "$1"; then # a second stage
        printf '%s\n' --set "run.init=$first"
    fi
}

# run_job JOB: two steps of it.
run_job() {
    local name settings
    name=$(basename "$1" .ini)
    mapfile -t settings < <(settings_of "$1")
    if ! timeout --kill-after=10 "$limit" "$train" "$1" "${settings[@]}" --max-steps 2 --run-dir "$scratch/runs/$name" >"$scratch/$name.log" 2>&1; then
        echo "$1 does not run: $(tail -n 1 "$scratch/$name.log")" >"$scratch/$name.failed"
    fi
}

echo "first stages"
expect 0 "$train" "$jobs/digits-ce.ini" --set "data.store=$scratch/digits.h5" --max-steps 0 --run-dir "$scratch/first/digits"
mapfile -t small < <(settings_of "$jobs/caltech101-lt-ce.ini")
expect 0 "$train" "$jobs/caltech101-lt-ce.ini" "${small[@]}" --max-steps 0 --run-dir "$scratch/first/pictures"

echo "every job on two ranks or one"
mpi_jobs=(digits-elm cifar100-lt-elm imagenet-lt-elm)
for name in "${mpi_jobs[@]}"; do
    mapfile -t small < <(settings_of "$jobs/$name.ini")
    expect_mpi 0 2 "$train" "$jobs/$name.ini" "${small[@]}" --max-steps 2 --run-dir "$scratch/mpi/$name"
done
# Alone, without the machinery that would start more processes: a tenth of the time.
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_pml=ob1 OMPI_MCA_btl=self
count=0
for job in "$jobs"/*.ini; do
    grep -qx "name = $(basename "$job" .ini)" "$job" || fail "run.name is not the file's name: $job"
    run_job "$job" &
    count=$((count + 1))
    [ $((count % 4)) -ne 0 ] || wait
done
wait
[ "$count" -gt 0 ] || fail "no job files in $jobs"
if compgen -G "$scratch/*.failed" >/dev/null; then
    cat "$scratch"/*.failed >"$scratch/stderr"
    fail "$(find "$scratch" -name '*.failed' | wc -l) of $count job files"
fi
echo "$count job files"

echo "what they say of the paper's set-up"
grep -Eq "differs from the paper's set-up: .*optim.batch 16 \(512\)" "$scratch/imagenet-lt-elm.log" || fail "no word of the batch: $(cat "$scratch/imagenet-lt-elm.log")"
grep -Eq "differs from the paper's set-up: .*optim.nesterov true \(false\)" "$scratch/cifar100-lt-menon-ce.log" || fail "no word of menon's set-up"
! grep -q "differs" "$scratch/digits-ce.log" || fail "digits has no set-up of the paper"

echo "a resolved job needs no other file"
mkdir "$scratch/alone"
cp "$scratch/runs/cifar100-lt-elm/job.ini" "$scratch/alone"
expect 0 "$train" "$scratch/alone/job.ini" --max-steps 2 --run-dir "$scratch/alone/run"
cmp "$scratch/alone/job.ini" "$scratch/alone/run/job.ini" || fail "the resolved job resolves to another"

echo "set-ups that no job uses"
for setup in "$jobs"/setups/*.ini; do
    grep -Eqr "^include = (setups/)?$(basename "$setup")" "$jobs" || fail "nobody includes $setup"
done

echo "mistakes in an included file name that file"
printf '[job]\ninclude = below.ini\n[run]\nname = x\n' >"$scratch/above.ini"
expect 2 "$train" "$scratch/above.ini"
says stderr "below.ini, included at .*above.ini:2\): No such file"
printf '[optim]\nlrr = 1\n' >"$scratch/below.ini"
expect 2 "$train" "$scratch/above.ini"
says stderr "unknown key optim.lrr \(.*below.ini:2\): did you mean optim.lr"
