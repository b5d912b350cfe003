#!/usr/bin/env bash
# Numbers that break: real causes (a feature beyond all measure in the store, a learning rate far too high), stopped at or passed over
# (run.nonfinite), on 1 to 4 ranks; the values and images are named, the last checkpoint stays good, and a step left out leaves no trace.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

/usr/bin/python3 -c "import h5py" 2>/dev/null || skip "python3-h5py is not installed"
export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"

# put NAME ROW VALUE: a copy of the store with other features in a row of its training set.
put() {
    cp "$scratch/moons.h5" "$scratch/$1.h5"
    /usr/bin/python3 - "$scratch/$1.h5" "$2" "$3" <<'END'
import sys, h5py
with h5py.File(sys.argv[1], "a") as store:
    store["train/features"][int(sys.argv[2])] = (float(sys.argv[3]), -float(sys.argv[3]))
END
}
put huge 150 3e38
put nan 150 nan

# A step has 100 images in the store's order: row 150 is in the 2nd, 22nd, ... of 60.
settings=("$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/huge.h5" --set data.sampler=sequential --set optim.batch=100
    --set optim.epochs=3 --set checkpoint.every_epochs=1)

# run CODE RANKS FOLDER [ARGUMENT...]
run() {
    local code=$1 ranks=$2 folder=$3
    shift 3
    expect_mpi "$code" "$ranks" "$train" "${settings[@]}" --run-dir "$scratch/$folder" "$@"
}

# same_weights FOLDER FOLDER [h5diff's TOLERANCE...]
same_weights() {
    local part
    for part in /model /optimizer; do
        h5diff -q "${@:3}" "$scratch/$1/checkpoint.h5" "$scratch/$2/checkpoint.h5" "$part" || fail "$part differs between $1 and $2"
    done
}

# --- values that the options and the store's reader refuse
expect 2 "$train" "${settings[@]}" --run-dir "$scratch/none" --set run.nonfinite=skip:0
says stderr "skip:<n> with n from 1"
expect 2 "$train" "${settings[@]}" --run-dir "$scratch/none" --set run.nonfinite=ignore
expect 1 "$train" "${settings[@]}" --run-dir "$scratch/none" --set "data.store=$scratch/nan.h5"
says stderr "a feature that is not finite"

# --- stop: the image is named on any number of ranks, the checkpoint before is whole and goes on where the cause is gone
for ranks in 1 2 3 4; do
    run 1 "$ranks" "stop-$ranks"
    says stderr "loss or gradient is not finite \(step 2, .*rank $((150 % 100 * ranks / 100)): image 150\)"
    [ "$(grep -c "is not finite" "$scratch/stderr")" -eq 1 ] || fail "on $ranks ranks the cause is not told once"
    says stderr "mend or remove"
done
run 0 2 mended --max-steps 1
run 1 2 mended --resume
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/mended/checkpoint.h5"
run 0 2 mended --resume --set run.nonfinite=skip:1
says stderr "step 2 is left out .*rank 1: image 150"

# --- skip: the step never updated, bit for bit; said once a step; the same on any number of ranks, and resumed in mid-epoch
run 0 2 before --max-steps 1
run 0 2 after --max-steps 2 --set run.nonfinite=skip:1
same_weights before after
for ranks in 1 2 3 4; do
    run 0 "$ranks" "skip-$ranks" --set run.nonfinite=skip:1
    [ "$(grep -c "is left out (1 in a row" "$scratch/stderr")" -eq 3 ] || fail "on $ranks ranks not three steps are left out"
    [ "$(grep -c "is left out" "$scratch/skip-$ranks/log.txt")" -eq 3 ] || fail "log.txt does not tell them"
    same_weights skip-1 "skip-$ranks" -p 1e-3
    /usr/bin/python3 - "$scratch/skip-$ranks/checkpoint.h5" <<'END'
import sys, h5py, numpy
with h5py.File(sys.argv[1]) as file:
    file.visititems(lambda name, item: sys.exit(name + " is not finite") if isinstance(item, h5py.Dataset) and item.dtype == "f4"
                    and not numpy.isfinite(item[...]).all() else None)
END
done
run 0 3 cut --set run.nonfinite=skip:1 --max-steps 27
run 0 3 cut --set run.nonfinite=skip:1 --resume
same_weights skip-3 cut
run 0 3 cut-before --set run.nonfinite=skip:1 --max-steps 21
run 0 3 cut-before --set run.nonfinite=skip:1 --resume
same_weights skip-3 cut-before
run 0 2 parts --set run.nonfinite=skip:1 --set optim.accumulate=3
says stderr "step 2 is left out .*: image 150\)"
says_not stderr "image 150,"

# --- a rate far too high: weights break all the same, and after n steps in a row it ends
settings+=(--set "data.store=$scratch/moons.h5" --set optim.warmup_epochs=0 --set optim.lr=1e6)
run 1 3 high --max-steps 5
run 1 3 high-skip --set run.nonfinite=skip:4
says stderr "5 steps in a row.*lower optim.lr"
[ "$(grep -c "is left out" "$scratch/stderr")" -eq 4 ] || fail "not four steps were left out"
# The gradient's length bounds what a step may do, and TensorBoard shows it.
run 0 2 clipped --set optim.lr=0.1 --set optim.clip_norm=0.05 --set run.tensorboard=true
grep -q "step/gradient_norm" "$scratch"/clipped/events.out.tfevents.* || fail "no gradient norm for TensorBoard"
echo "broken numbers stop a run or are passed over without a trace"
