#!/usr/bin/env bash
# Logit losses in whole runs: the last layer follows the loss and is rebuilt for evaluation, drw switches in mid-run and resumes bit for bit.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=2 --set optim.warmup_epochs=0)
ldam=(--set loss.logit=ldam --set loss.weights=drw --set loss.weights.epoch=1)

run() {
    local name=$1
    shift
    expect 0 "$train" "$job" "${common[@]}" --run-dir "$scratch/$name" "$@"
}
resolved() {
    grep -qx "$2" "$scratch/$1/job.ini" || fail "$1: job.ini does not say \"$2\""
}
balanced_accuracy() {
    sed -n 's/.*"balanced_accuracy": *\([0-9.]*\).*/\1/p' "$scratch/$1/evaluation.json" | head -1
}

# LDAM-DRW: cosines, no bias; elmpi-evaluate builds the same from the checkpoint's job; a stopped run continues bit for bit over the switch.
run whole "${ldam[@]}"
resolved whole "head = cosine"
resolved whole "weights = drw"
if h5ls "$scratch/whole/checkpoint.h5/model/fc.bias" >/dev/null 2>&1; then
    fail "a cosine layer has a bias"
fi
before=$(balanced_accuracy whole)
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/whole/checkpoint.h5"
[ "$before" = "$(balanced_accuracy whole)" ] || fail "evaluation says $(balanced_accuracy whole), training said $before"
run cut "${ldam[@]}" --max-steps 5
run cut "${ldam[@]}" --resume
h5diff "$scratch/whole/checkpoint.h5" "$scratch/cut/checkpoint.h5" /model /model || fail "a resumed run has other weights"
h5diff "$scratch/whole/checkpoint.h5" "$scratch/cut/checkpoint.h5" /optimizer /optimizer || fail "a resumed run has another momentum"
run undeferred --set loss.logit=ldam --set loss.weights=class-balanced
if h5diff -q "$scratch/whole/checkpoint.h5" "$scratch/undeferred/checkpoint.h5" /model/fc.weight >/dev/null; then
    fail "drw weighs from the beginning"
fi

# Two ranks see what one sees.
expect_mpi 0 2 "$train" "$job" "${common[@]}" "${ldam[@]}" --run-dir "$scratch/two" --max-steps 1
run one "${ldam[@]}" --max-steps 1
h5diff -q -d 1e-4 "$scratch/one/checkpoint.h5" "$scratch/two/checkpoint.h5" /model/fc.weight || fail "two ranks learn something else than one"

# cb-focal: the bias begins at -log(L - 1); not where weights come from a file.
run focal-0 --set loss.logit=cb-focal --max-steps 0
resolved focal-0 "head = linear"
h5dump -d /model/fc.bias "$scratch/focal-0/checkpoint.h5" | grep -q -- '(0): -2.19722' || fail "cb-focal's bias does not begin at -log 9"
run ce-0 --max-steps 0
run focal-init --set loss.logit=cb-focal --init "$scratch/ce-0/checkpoint.h5" --max-steps 0
h5diff -q "$scratch/ce-0/checkpoint.h5" "$scratch/focal-init/checkpoint.h5" /model/fc.bias || fail "the bias of a file is lost"

# Every variant trains.
for settings in "loss.logit=cb-focal" "loss.logit=cb-focal loss.cb-focal.variant=softmax" \
    "loss.logit=cb-focal loss.cb-focal.variant=softmax-public" "loss.logit=equalization" \
    "loss.logit=equalization loss.equalization.variant=margin" "loss.logit=logadj loss.weights=class-balanced loss.weights.beta=0.99" \
    "loss.logit=ce loss.smoothing=uniform" "loss.logit=logadj loss.smoothing=label-aware loss.smoothing.tail=0" \
    "loss.logit=ce model.head=cosine" "loss.logit=ldam loss.ldam.margin=0.3 model.head=linear" "loss.logit=ldam loss.embed=pull"; do
    sets=()
    for setting in $settings; do
        sets+=(--set "$setting")
    done
    expect_mpi 0 3 "$train" "$job" "${common[@]}" "${sets[@]}" --run-dir "$scratch/${settings//[ =]/-}" --max-steps 3
done

# Smoothed labels: nothing of theirs is in a checkpoint, and a resumed run may not change them.
run smooth --set loss.smoothing=label-aware
resolved smooth "smoothing = label-aware"
run smooth-cut --set loss.smoothing=label-aware --max-steps 5
run smooth-cut --set loss.smoothing=label-aware --resume
h5diff "$scratch/smooth/checkpoint.h5" "$scratch/smooth-cut/checkpoint.h5" /model /model || fail "a resumed run with smoothed labels has other weights"
expect 2 "$train" "$job" "${common[@]}" --set loss.smoothing=uniform --run-dir "$scratch/smooth-cut" --resume
expect 2 "$train" "$job" "${common[@]}" --set loss.logit=cb-focal --set loss.smoothing=uniform --run-dir "$scratch/refused"
says stderr "cb-focal has no definition with smoothed labels"
absent "$scratch/refused"

# What has no effect is said so; what cannot be is refused.
run noted --set loss.ldam.scale=20 --set loss.weights.epoch=3 --max-steps 0
says stdout "loss.ldam.scale is ignored"
says stdout "loss.weights.epoch is ignored"
expect 2 "$train" "$job" "${common[@]}" --set loss.weights=balanced --run-dir "$scratch/refused"
expect 2 "$train" "$job" "${common[@]}" --set loss.weights=drw --set loss.weights.beta=1.5 --run-dir "$scratch/refused"
expect 2 "$train" "$job" "${common[@]}" --set loss.logit=ladm --run-dir "$scratch/refused"
says stderr "did you mean ldam?"
