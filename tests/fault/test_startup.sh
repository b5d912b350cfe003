#!/usr/bin/env bash
# From main's first line on nothing waits for ever: a rank that is stopped before it starts, files that do not answer, signals before training.
# The heartbeat's date, which another machine's clock makes, does not count.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

export OMP_NUM_THREADS=1
store=$scratch/digits.h5
job=$scratch/job.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
printf '[run]\nname = x\nstall_timeout = 3\n[data]\nstore = %s\n[model]\nname = mlp:8\n[optim]\nepochs = 1\n' "$store" >"$job"
expect 0 "$ELMPI_BIN/elmpi-train" "$job" --run-dir "$scratch/run"

# stopped_before PROGRAM ARGUMENT...: rank 1 is stopped before it becomes the program; the others name what they wait for and end the job.
stopped_before() {
    expect 1 mpirun --oversubscribe --bind-to none -np 1 "$ELMPI_BIN/$1" "${@:2}" : -np 1 bash -c 'kill -STOP $$; exec "$@"' stopped "$ELMPI_BIN/$1" "${@:2}"
    says stderr "$1: error: rank 0 has been in mpi-init .*no rank has made progress since"
    [ "$(grep -c "no rank has made progress" "$scratch/stderr")" -eq 1 ] || fail "$1: it is not told once"
}
stopped_before elmpi-train "$job" --run-dir "$scratch/none"
absent "$scratch/none"
export ELMPI_STALL_TIMEOUT=3
stopped_before elmpi-evaluate "$scratch/run/checkpoint.h5" --json "$scratch/e.json"
absent "$scratch/e.json"
stopped_before elmpi-bench --model mlp:8 --steps 1
unset ELMPI_STALL_TIMEOUT

# --- files that do not answer
fifo=$scratch/fifo
mkfifo "$fifo"
/usr/bin/python3 "$ELMPI_SOURCE/tests/cli/random_images.py" "$scratch/p.tar" 1 2
expect 1 "$ELMPI_BIN/elmpi-train" "$fifo" --set run.stall_timeout=1
says stderr "rank 0 has been in job \($fifo\) for"
for command in "elmpi-prepare pictures --archive $scratch/p.tar --train-list $fifo --out $scratch/s.h5" "elmpi-evaluate $scratch/run/checkpoint.h5 --json $fifo"; do
    # shellcheck disable=SC2086 # words
    ELMPI_STALL_TIMEOUT=1 expect 1 "$ELMPI_BIN"/$command
    says stderr "error: rank 0 has been in .* no rank has made progress since"
done
expect 2 env ELMPI_STALL_TIMEOUT=soon "$ELMPI_BIN/elmpi-bench" --peak
says stderr 'no number of seconds: soon \(ELMPI_STALL_TIMEOUT\)'

# asked SIGNAL COMMAND...: a request ends a program that waits for a file.
asked() {
    local signal=$1 code=0
    shift
    # In a job of its own bash turns INT off.
    env --default-signal "$@" >"$scratch/stdout" 2>"$scratch/stderr" &
    local child=$!
    sleep 1
    kill -s "$signal" "$child"
    wait "$child" || code=$?
    [ "$code" -eq 75 ] || fail "exit code $code after $signal: $*"
    says stderr "stopped on request \(SIG$signal, rank 0, phase"
}
for signal in TERM INT USR1 HUP; do
    asked "$signal" "$ELMPI_BIN/elmpi-train" "$fifo"
done
asked TERM "$ELMPI_BIN/elmpi-prepare" pictures --archive "$scratch/p.tar" --train-list "$fifo" --out "$scratch/s.h5"
asked TERM "$ELMPI_BIN/elmpi-evaluate" "$scratch/run/checkpoint.h5" --json "$fifo"

# --- a request between the claim and the first step leaves the folder as it was
ELMPI_FAULT=stop@data "$ELMPI_BIN/elmpi-train" "$job" --run-dir "$scratch/asked" >"$scratch/stdout" 2>"$scratch/stderr" &
child=$!
tries=0
until grep -q "is stopped in data" "$scratch/stderr"; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "the rank was not stopped"
    sleep 0.1
done
kill -TERM "$child"
kill -CONT "$child"
code=0
wait "$child" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code"
absent "$scratch/asked/claim-1" "$scratch/asked/log.txt"
expect 0 "$ELMPI_BIN/elmpi-train" "$job" --run-dir "$scratch/asked"

# --- a file server whose clock is ahead
(exec timeout "$limit" mpirun --oversubscribe --bind-to none -np 2 "$ELMPI_BIN/elmpi-train" "$job" --set optim.epochs=1000000 --run-dir "$scratch/ahead" \
    >"$scratch/stdout" 2>"$scratch/stderr") &
child=$!
tries=0
until grep -q "step [1-9]" "$scratch/ahead/heartbeat-1-1" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 600 ] || fail "no heartbeat"
    sleep 0.1
done
kill -STOP "$(sed -n 's/.* pid \([0-9]*\).*/\1/p' "$scratch/ahead/heartbeat-1-1")"
touch -d "+1 hour" "$scratch/ahead/heartbeat-1-1"
code=0
wait "$child" || code=$?
[ "$code" -eq 1 ] || fail "exit code $code with a heartbeat from the future"
says stderr "rank 1 on .*no heartbeat for"
