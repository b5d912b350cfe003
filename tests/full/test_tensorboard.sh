#!/usr/bin/env bash
# TensorBoard's event files of a run that is killed between checkpoints and resumed, twice: read by an independent parser, every step and epoch is there
# exactly once and the figures are those of metrics.csv.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

python=/usr/bin/python3
[ -x "$python" ] || skip "no $python"
export OMP_NUM_THREADS=1
parser=$ELMPI_SOURCE/tests/full/event_files.py
run=$scratch/run
arguments=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$scratch/digits.h5" --set model.name=cifar-resnet8 --set optim.epochs=6
    --set optim.warmup_epochs=0 --set optim.batch=32 --set run.tensorboard=true --set run.evaluate_every_epochs=1 --run-dir "$run")
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"

# Ends at a step in mid-epoch with a checkpoint there, goes on past it and is killed without one: what came after it is done again.
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --max-steps 7
for again in 1 2; do
    "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --set checkpoint.every_epochs=0 --set checkpoint.every_minutes=0 --resume >"$scratch/stdout" 2>&1 &
    killed=$!
    tries=0
    until [ "$({ wc -l <"$run/metrics.csv"; } 2>/dev/null || echo 0)" -ge $((1 + again)) ] || [ "$tries" -ge 600 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    kill -KILL "$killed" 2>/dev/null || true
    code=0
    wait "$killed" 2>/dev/null || code=$?
    [ "$code" -eq 137 ] || fail "the run was not killed in its midst (exit code $code)"
done
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --resume
expect 0 "$python" "$parser" "$run" 6
cat "$scratch/stdout"
# A start with nothing left to do takes nothing away.
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --resume
expect 0 "$python" "$parser" "$run" 6
