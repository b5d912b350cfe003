#!/usr/bin/env bash
# What ends a start of a job and what follows, on a real Slurm: a cancelled job ends, whoever started the ranks and also in an array; one that was asked to
# stop, requeued by hand, preempted or out of time comes back and resumes; a lost node is said only when one was lost.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=tests/full/slurm.sh
. "$(dirname "$0")/slurm.sh"

start_slurm 2
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out data/digits.h5
settings=(--set data.store=data/digits.h5 --set data.imbalance=0 --set model.name=cifar-resnet8 --set optim.batch=64 --set optim.lr=0.05
    --set run.threads=1 --set optim.schedule=constant --set checkpoint.every_epochs=1)

# long RUN [SBATCH OPTION...]: a job that goes on until somebody ends it, on both nodes, once it has written a checkpoint.
long() {
    local run=runs/$1
    shift
    job=$(submit --nodes=2 --ntasks-per-node=1 --cpus-per-task=1 "$@" slurm/cifar100.sh "${settings[@]}" --set optim.epochs=100000 --run-dir "$run")
    wait_for "$job" RUNNING
    wait_for_checkpoint "$run"
}

# State of a job, or of a task of an array.
state_of() {
    slurm scontrol -o show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | head -n 1
}

is_cancelled() {
    [ "$(state_of "$1")" = CANCELLED ]
}

is_pending() {
    [ "$(state_of "$1")" = PENDING ]
}

# ended JOB: cancelled, and so it stays.
ended() {
    wait_until 90 "the end of $1 (${launcher:-}): it is $(state_of "$1")" is_cancelled "$1"
    sleep 3
    is_cancelled "$1" || fail "$1 is $(state_of "$1") after scancel"
    if output "$1" | grep -Eq "back into the queue|no answer from|DUE TO JOB REQUEUE"; then fail "$1 went back into the queue"; fi
}

# came_back JOB TEXT: it was in the queue, runs again, resumed, and its log says so; then it is of no more use.
came_back() {
    wait_for "$1" PENDING
    [ -z "$2" ] || wait_until 10 "its log says $2" logged "$1" "$2"
    wait_for "$1" RUNNING
    wait_until 90 "the second start of $1 resumes" logged "$1" "Resuming from"
    ! logged "$1" "no answer from" || fail "no node was lost"
    slurm scancel "$1"
    wait_until 90 "the end of $1" is_cancelled "$1"
}

for launcher in srun mpirun; do
    export ELMPI_LAUNCHER=$launcher
    echo "--- $launcher"
    long "cancel-$launcher"
    slurm scancel "$job"
    ended "$job"

    long "usr1-$launcher"
    slurm scancel --batch --signal=USR1 "$job"
    came_back "$job" "stopped and resumable"

    long "requeue-$launcher"
    slurm scontrol requeue "$job"
    came_back "$job" ""

    long "preempted-$launcher"
    urgent=$(submit --partition=urgent --nodes=2 --exclusive --wrap "sleep 600")
    wait_for "$job" PENDING
    wait_for "$urgent" RUNNING
    slurm scancel "$urgent"
    came_back "$job" "back into the queue"

    long "sudden-$launcher" --partition=sudden
    urgent=$(submit --partition=urgent --nodes=2 --exclusive --wrap "sleep 600")
    wait_for "$job" PENDING
    wait_for "$urgent" RUNNING
    slurm scancel "$urgent"
    came_back "$job" ""
done

echo "--- signals to the ranks alone"
export ELMPI_LAUNCHER=srun
for signal in USR1 TERM; do
    long "step-$signal"
    slurm scancel --signal="$signal" "$job"
    came_back "$job" "stopped and resumable"
done

echo "--- time limits, with a warning and without"
long warned --time=00:01:00 --signal=B:USR1@30
came_back "$job" "stopped and resumable"
long unwarned --time=00:01:00 --signal=B:USR2@0
came_back "$job" "stopped and resumable"

echo "--- one task of an array"
printf '[job]\ninclude = jobs/digits-elm.ini\n[run]\nname = long\n[optim]\nepochs = 100000\n[checkpoint]\nevery_epochs = 1\n' >long.ini
array=$(submit --cpus-per-task=1 --array=0-1 slurm/sweep.sh long.ini loss.lambda 0.1 0.01)
wait_for_checkpoint runs/long-loss.lambda-0.1
wait_for_checkpoint runs/long-loss.lambda-0.01
slurm scancel "${array}_1"
wait_until 90 "the end of task 1" is_cancelled "${array}_1"
sleep 3
is_cancelled "${array}_1" || fail "task 1 is $(state_of "${array}_1")"
[ "$(state_of "${array}_0")" = RUNNING ] || fail "task 0 is $(state_of "${array}_0")"
slurm scancel --batch --signal=USR1 "${array}_0"
wait_until 60 "task 0 in the queue" is_pending "${array}_0"
is_cancelled "${array}_1" || fail "task 1 came back with task 0"
slurm scancel "$array"
echo "cancelled jobs end, all others come back"
