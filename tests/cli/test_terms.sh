#!/usr/bin/env bash
# Embedding terms in whole runs: each trains on two ranks; those that learn (centres, margins) are in the checkpoint, and a run cut off within
# an epoch continues bit for bit.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=1 --set optim.warmup_epochs=0.5)

# run NAME TERM [ARGUMENT...]: on two ranks.
run() {
    local name=$1 term=$2
    shift 2
    expect_mpi 0 2 "$train" "$job" "${common[@]}" --run-dir "$scratch/$name" --set "loss.embed=$term" "$@"
}

for term in range spreadout supcon triplet contrastive-logit hybrid-sc lda; do
    run "$term" "$term" --max-steps 2
done

# learns NAME TENSOR...: the checkpoint holds what the term learned; $name-cut, resumed, ends with the same.
learns() {
    local name=$1 tensor group
    shift
    for tensor in "$@"; do
        h5ls "$scratch/$name/checkpoint.h5/loss/$tensor" >/dev/null 2>&1 || fail "$name: no /loss/$tensor in the checkpoint"
    done
    for group in model optimizer loss; do
        h5diff -q "$scratch/$name/checkpoint.h5" "$scratch/$name-cut/checkpoint.h5" "/$group" || fail "$name: a resumed run has another /$group"
    done
}
cut_and_resumed() {
    local name=$1
    shift
    run "$name" "$@"
    run "$name-cut" "$@" --max-steps 3
    run "$name-cut" "$@" --resume
}
cut_and_resumed center center --set loss.lambda=0.003
learns center centre centre_seen
cut_and_resumed dro dro
learns dro centre centre_seen
cut_and_resumed public dro --set loss.dro.variant=public --set loss.lambda=0.5 --set optim.accumulate=2
learns public centre centre_seen epsilon
echo "embedding terms train, and what they learn is kept"
