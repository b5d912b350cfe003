#!/usr/bin/env bash
# In a log without a terminal, whatever takes long says what it is at: a line a minute, here oftener (ELMPI_PROGRESS_SECONDS). Nothing of it where the
# minute has not come.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
job=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$scratch/digits.h5" --set model.name=cifar-resnet20 --set optim.epochs=2 --set optim.warmup_epochs=0
    --set optim.schedule=constant --set run.precision=fp32)
expect 0 "$ELMPI_BIN/elmpi-train" "${job[@]}" --run-dir "$scratch/calm"
says_not stdout 'at 0\.[0-9]+ of 2 epochs'
says_not stdout 'images passed'
for ranks in 1 2; do
    ELMPI_PROGRESS_SECONDS=0.0001 expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${job[@]}" --run-dir "$scratch/often-$ranks"
    says stdout '  at 0\.[0-9]+ of 2 epochs  step [0-9]+  loss .* left'
    says stdout 'images passed through the network: [0-9]+ of 500 \([0-9]+%\)'
    grep -q 'at 0\.[0-9]* of 2 epochs' "$scratch/often-$ranks/log.txt" || fail "log.txt does not say it"
    h5diff -q "$scratch/calm/checkpoint.h5" "$scratch/often-1/checkpoint.h5" /model /model || fail "progress changes the weights"
done
ELMPI_PROGRESS_SECONDS=0.0001 expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/calm/checkpoint.h5" --analysis "$scratch/a.h5"
for what in 'images passed through the network' 'analysis of distances and margins' 'analysis of the spectrum' 't-SNE'; do
    says stdout "$what: "
done
ELMPI_PROGRESS_SECONDS=0.0001 expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/calm/checkpoint.h5" --classifier knn
says stdout 'nearest neighbors: '
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/calm/checkpoint.h5" --analysis "$scratch/b.h5"
says_not stdout 'images passed|t-SNE: '
echo "long work says what it is at"
