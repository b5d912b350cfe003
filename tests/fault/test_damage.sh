#!/usr/bin/env bash
# Damaged checkpoints: bits flipped in the user block, HDF5's header, the data and the end, and files cut short. Each time the newest good one
# is used, saying so, and the run ends with the undisturbed weights. A whole file of another version is refused; the older ones are not
# silently used instead.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
settings=("$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --set optim.batch=100 --set optim.epochs=2
    --set checkpoint.every_epochs=0.5 --set checkpoint.keep=3)

# same_result FOLDER: weights, momentum and history are those of the undisturbed run.
expect_mpi 0 2 "$train" "${settings[@]}" --run-dir "$scratch/calm"
same_result() {
    local part
    for part in /model /optimizer /history/loss; do
        h5diff -q "$scratch/calm/checkpoint.h5" "$1/checkpoint.h5" "$part" || fail "$damage: $part is another than the undisturbed run's"
    done
}

# Steps 10, 20 and 30 of 40 are there.
expect_mpi 0 2 "$train" "${settings[@]}" --run-dir "$scratch/start" --max-steps 30
newest=checkpoint-1-30.h5
for file in $newest checkpoint-1-20.h5 checkpoint-1-10.h5; do
    [ -f "$scratch/start/$file" ] || fail "not the expected checkpoints: $(ls "$scratch/start")"
done
size=$(stat -c %s "$scratch/start/$newest")

# flip FILE BYTE BIT
flip() {
    local old
    old=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((old ^ (1 << $3))))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# fresh: the run folder as it was before the damage, in $run.
run=$scratch/run
fresh() {
    rm -rf "$run"
    cp -a "$scratch/start" "$run"
}

# goes_on_from NAME RANKS: resumes and ends like the undisturbed run.
cases=0
goes_on_from() {
    expect_mpi 0 "$2" "$train" "${settings[@]}" --run-dir "$run" --resume
    says stderr "passed over: .*$newest"
    says stdout "Resuming from $1 "
    same_result "$run"
    cases=$((cases + 1))
}

# Byte 17 is the version's number in the first line: a flip there makes no other version of it.
for at in 0 17 18 30 60 120 511 512 520 560 $((size / 4)) $((size / 2)) $((size * 3 / 4)) $((size - 9)) $((size - 1)); do
    damage="a flipped bit in byte $at of $size"
    fresh
    flip "$run/$newest" "$at" $((at % 8))
    goes_on_from checkpoint-1-20.h5 2
done
for length in 0 1 17 511 512 513 $((size / 2)) $((size - 1)); do
    damage="$length of $size bytes"
    fresh
    truncate -s "$length" "$run/$newest"
    goes_on_from checkpoint-1-20.h5 2
done
damage="zeros beyond the end"
fresh
truncate -s +4096 "$run/$newest"
goes_on_from checkpoint-1-20.h5 2

# The two newest are damaged. Those that are do not count for checkpoint.keep: the last good one is kept until there are enough new ones.
damage="two damaged files"
fresh
flip "$run/$newest" 600 0
flip "$run/checkpoint-1-20.h5" $((size - 1)) 7
expect_mpi 0 2 "$train" "${settings[@]}" --run-dir "$run" --resume --max-steps 11
says stderr "passed over: .*checkpoint-1-20.h5"
says stdout "Resuming from checkpoint-1-10.h5 "
[ -f "$run/checkpoint-1-10.h5" ] || fail "the last good checkpoint was removed for damaged ones"
expect_mpi 0 2 "$train" "${settings[@]}" --run-dir "$run" --resume
says stdout "Resuming from checkpoint-2-11.h5 "
same_result "$run"
cases=$((cases + 1))

# None is whole: from the beginning, saying so.
damage="all damaged"
fresh
for file in "$run"/checkpoint-1-*.h5; do
    flip "$file" 700 1
done
expect_mpi 0 2 "$train" "${settings[@]}" --run-dir "$run" --resume
[ "$(grep -c "passed over" "$scratch/stderr")" -eq 3 ] || fail "not all damaged files are named"
says stdout "starting from the beginning"
same_result "$run"
cases=$((cases + 1))

# A whole file of another version.
if /usr/bin/python3 -c "import h5py" 2>/dev/null; then
    fresh
    /usr/bin/python3 - "$run/$newest" <<'END'
import sys, hashlib, h5py
with h5py.File(sys.argv[1], "a") as file:
    file.attrs.modify("version", 2)
data = open(sys.argv[1], "rb").read()[512:]
block = b"ELMPI checkpoint 2\nlength %d\nsha256 %s\n" % (len(data), hashlib.sha256(data).hexdigest().encode())
open(sys.argv[1], "wb").write(block.ljust(512, b"\0") + data)
END
    before=$(sha256sum "$run"/checkpoint-*.h5)
    for ranks in 1 2; do
        expect_mpi 1 "$ranks" "$train" "${settings[@]}" --run-dir "$run" --resume
        says stderr "not the checkpoint format of this elmpi.*$newest.*version that wrote it"
        says_not stdout "Resuming"
    done
    expect 1 "$ELMPI_BIN/elmpi-evaluate" "$run/$newest"
    says stderr "not the checkpoint format of this elmpi"
    [ "$before" = "$(sha256sum "$run"/checkpoint-*.h5)" ] || fail "a refused start has changed the checkpoints"
fi
echo "$cases damaged folders: the newest good checkpoint was used, saying so, and the result is the undisturbed one's"
