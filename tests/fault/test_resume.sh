#!/usr/bin/env bash
# A killed rank, and a stop on request, in mid-epoch: --resume ends with the weights of the undisturbed run, bit for bit.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
store=$scratch/digits.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
settings=("$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$store" --set optim.epochs=40 --set checkpoint.every_epochs=0.7 --set checkpoint.keep=2)

# train FOLDER [ARGUMENT...]: in this shell, on 2 ranks.
train() {
    local folder=$1
    shift
    exec "${mpirun[@]}" -np 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$folder" "$@"
}

# same_result FOLDER FOLDER: weights, running statistics, momentum, history of losses.
same_result() {
    local part
    for part in /model /optimizer /history/loss /history/train_accuracy; do
        h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" "$part" || fail "$part differs between $1 and $2"
    done
    cut -d, -f1-13 "$1/metrics.csv" >"$scratch/a.csv"
    cut -d, -f1-13 "$2/metrics.csv" >"$scratch/b.csv"
    same "$scratch/a.csv" "$scratch/b.csv"
}

expect 0 bash -c "exec ${mpirun[*]@Q} -np 2 '$ELMPI_BIN/elmpi-train' ${settings[*]@Q} --run-dir '$scratch/calm'"

# A rank dies without a word.
(train "$scratch/killed" >"$scratch/stdout" 2>"$scratch/stderr") &
run=$!
wait_for_checkpoint "$scratch/killed"
pkill -KILL -n -f "elmpi-train.*$scratch/killed" || fail "no rank to kill"
code=0
wait "$run" || code=$?
[ "$code" -ne 0 ] || fail "a killed rank went unnoticed (it may have been too late: the run was over)"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/killed" --resume
says stdout "Resuming from"
same_result "$scratch/calm" "$scratch/killed"

# Asked to stop: checkpoint, exit code 75.
(train "$scratch/stopped" >"$scratch/stdout" 2>"$scratch/stderr") &
run=$!
wait_for_checkpoint "$scratch/stopped"
kill -USR1 "$run"
code=0
wait "$run" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code after USR1, expected 75"
says stdout "stopped on request"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/stopped" --resume
same_result "$scratch/calm" "$scratch/stopped"

# A finished run resumed has nothing to do and keeps its result.
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/stopped" --resume
says stdout "Nothing left to do"
same_result "$scratch/calm" "$scratch/stopped"

# The newest checkpoint is torn: the one before it is used, and the result is the same.
newest=$(readlink -f "$scratch/stopped/checkpoint.h5")
truncate -s -100 "$newest"
expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/stopped" --resume
says stderr "$(basename "$newest")"
same_result "$scratch/calm" "$scratch/stopped"
echo "resumed runs equal the undisturbed one bit for bit"

# In bf16 too, where this machine has it.
settings+=(--set run.precision=bf16)
if "${mpirun[@]}" -np 1 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --max-steps 0 --run-dir "$scratch/half-there" >"$scratch/stdout" 2>"$scratch/stderr"; then
    expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/calm-half"
    expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/cut-half" --max-steps 45
    expect_mpi 0 2 "$ELMPI_BIN/elmpi-train" "${settings[@]}" --run-dir "$scratch/cut-half" --resume
    same_result "$scratch/calm-half" "$scratch/cut-half"
else
    says stderr "does not multiply bf16|fp32 alone"
    echo "no bf16 here: not resumed in it"
fi
