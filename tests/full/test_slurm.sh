#!/usr/bin/env bash
# slurm/cifar100.sh, submitted unchanged to a real Slurm on this machine: a job completes; one that is asked to stop, and one whose node dies, are
# requeued, resume and end with the same weights.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=tests/full/slurm.sh
. "$(dirname "$0")/slurm.sh"

start_slurm 2

# A clear message where the data is missing.
refused=$(submit slurm/cifar100.sh)
wait_until 30 "the refusal" logged "$refused" "cannot open the store"

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out data/digits.h5
settings=(--set data.store=data/digits.h5 --set data.imbalance=0 --set model.name=cifar-resnet8 --set optim.batch=64 --set optim.lr=0.05 --set optim.epochs=16
    --set run.threads=1 --set optim.schedule=constant --set checkpoint.every_epochs=1)

cifar100() {
    submit slurm/cifar100.sh "${settings[@]}" --run-dir "$1"
}

resumed_like_calm() {
    wait_for "$1" PENDING
    wait_for "$1" RUNNING
    wait_for "$1" COMPLETED
    logged "$1" "Resuming from" || fail "the requeued job did not resume"
    same_weights runs/calm "$2"
}

job=$(cifar100 runs/calm)
wait_for "$job" COMPLETED
[ -s runs/calm/evaluation.json ] || fail "no evaluation"

# A job array over values: a run each under a name of its own, and the report's curve over them.
submit --cpus-per-task=1 --array=0-1%1 slurm/sweep.sh jobs/digits-elm.ini loss.lambda 0.1 0.01 >/dev/null
for value in 0.1 0.01; do
    wait_until 240 "the run with lambda $value" test -s "runs/digits-elm-loss.lambda-$value/evaluation.json"
done
if command -v gnuplot >/dev/null; then
    expect 0 "$ELMPI_BIN/elmpi-report" runs/digits-elm-loss.lambda-* --out sweep.html
    [ "$(grep -c . sweep-figures/lambda.csv)" -eq 3 ] || fail "the sweep's curve has not two points"
fi

# The time limit's signal.
job=$(cifar100 runs/stopped)
wait_for_checkpoint runs/stopped
slurm scancel --batch --signal=USR1 "$job"
resumed_like_calm "$job" runs/stopped

# The node dies.
job=$(cifar100 runs/killed)
wait_for_checkpoint runs/killed
"$lab" kill "$(node_of "$job")"
resumed_like_calm "$job" runs/killed
echo "completed, stopped and resumed, node killed and resumed: the same weights"
