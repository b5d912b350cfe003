#!/usr/bin/env bash
# Second stages: what model.train lets rest keeps its values to the bit, the rest learns; one rank and two agree; resuming works.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
first=$scratch/first/checkpoint.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=2 --set optim.warmup_epochs=0)
expect 0 "$train" "$job" "${common[@]}" --run-dir "$scratch/first"

# changed RUN NAME, kept RUN NAME: a weight against the first stage's.
changed() {
    ! h5diff -q "$first" "$scratch/$1/checkpoint.h5" "/model/$2" >/dev/null 2>&1 || fail "$1: $2 has not learned"
}
kept() {
    h5diff -q "$first" "$scratch/$1/checkpoint.h5" "/model/$2" || fail "$1: $2 has changed"
}

stage() {
    local name=$1
    shift
    expect_mpi 0 2 "$train" "$job" "${common[@]}" --set "run.init=$first" --run-dir "$scratch/$name" "$@"
    says stdout "Weights from $first"
}

stage backbone --set model.train=backbone
changed backbone conv1.weight
changed backbone bn1.running_mean
kept backbone fc.weight
kept backbone fc.bias

stage classifier --set model.train=classifier
stage crt --set model.train=classifier --set run.new_classifier=true
for run in classifier crt; do
    kept "$run" conv1.weight
    kept "$run" bn1.running_mean
    kept "$run" layer3.0.bn2.weight
    changed "$run" fc.weight
done
if h5diff -q "$scratch/classifier/checkpoint.h5" "$scratch/crt/checkpoint.h5" /model/fc.weight; then
    fail "a new classifier is the old one"
fi

stage lws --set model.train=scale
kept lws conv1.weight
kept lws fc.weight
kept lws fc.bias
h5dump -d /model/fc.scale "$scratch/lws/checkpoint.h5" | grep -q '(0): .*[02-9]' || fail "the scales are still 1"
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/lws/checkpoint.h5" # builds the network with its scales from the checkpoint's job

# DRO-LT's second stage: centroids over the whole training set, before each epoch, the same after a resume.
dro=(--set model.train=backbone --set loss.embed=dro --set loss.dro.centroids=epoch)
stage dro "${dro[@]}"
kept dro fc.weight
changed dro conv1.weight
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set "run.init=$first" --run-dir "$scratch/dro-cut" "${dro[@]}" --max-steps 9
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set "run.init=$first" --run-dir "$scratch/dro-cut" "${dro[@]}" --resume
for part in /model /loss; do
    h5diff -q "$scratch/dro-cut/checkpoint.h5" "$scratch/dro/checkpoint.h5" "$part" || fail "a resumed dro stage differs: $part"
done

# One rank gives what two give, and a resumed stage what an undisturbed one gives; the first stage is no longer needed then.
expect 0 "$train" "$job" "${common[@]}" --set "run.init=$first" --set model.train=classifier --run-dir "$scratch/alone"
h5diff -q -p 1e-3 "$scratch/alone/checkpoint.h5" "$scratch/classifier/checkpoint.h5" /model/fc.weight || fail "one rank learns another classifier than two"
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set "run.init=$first" --set model.train=classifier --run-dir "$scratch/cut" --max-steps 5
expect_mpi 0 2 "$train" "$job" "${common[@]}" --set run.init=gone.h5 --set model.train=classifier --run-dir "$scratch/cut" --resume
h5diff -q "$scratch/cut/checkpoint.h5" "$scratch/classifier/checkpoint.h5" /model || fail "a resumed stage differs"

# Random features would be all that is left to learn from.
expect 2 "$train" "$job" "${common[@]}" --set model.train=classifier --run-dir "$scratch/none"
says stderr "run.init"
absent "$scratch/none"
expect 1 "$train" "$job" "${common[@]}" --set run.init=nowhere.h5 --run-dir "$scratch/none"
says stderr "comes from that stage's job"
says stderr "nowhere.h5"
absent "$scratch/none"
