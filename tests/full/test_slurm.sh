#!/usr/bin/env bash
# The batch scripts, submitted unchanged to a real Slurm on this machine: a job completes; one that is asked to stop, and one whose node dies, are requeued, resume and end with the
# same weights.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

[ "$(id -u)" -eq 0 ] || skip "a Slurm of our own needs root"
for program in slurmctld slurmd munged ip; do
    command -v "$program" >/dev/null || skip "$program is not installed (apt-get install slurm-wlm munge iproute2)"
done
unshare --net true 2>/dev/null || skip "no network namespaces here"

lab=$ELMPI_SOURCE/tests/full/slurm-lab.sh
export LAB=$scratch/lab
chmod 755 "$scratch"
mkdir -p "$LAB"
trap '"$lab" down >/dev/null 2>&1; rm -rf "$scratch"' EXIT
"$lab" up 2 >"$scratch/stdout" 2>&1 || fail "Slurm does not come up"

# The elmpi folder of a user.
home=$scratch/elmpi
mkdir -p "$home/build" "$home/data"
ln -s "$ELMPI_BIN" "$home/build/bin"
ln -s "$ELMPI_SOURCE/jobs" "$ELMPI_SOURCE/slurm" "$home/"
cd "$home"

slurm() {
    SLURM_CONF=$LAB/slurm.conf "$lab" run "$@"
}

# A clear message where the data is missing.
slurm sbatch --parsable slurm/cifar100.sh >"$scratch/job"
settings=(--set data.store=data/digits.h5 --set data.imbalance=0 --set model.name=cifar-resnet8 --set optim.batch=64 --set optim.lr=0.05 --set optim.epochs=40
    --set optim.schedule=constant --set checkpoint.every_epochs=1)

state_of() {
    slurm scontrol show job "$1" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p'
}

# wait_for JOB STATE: hurries a requeued job along, which Slurm would hold back for two minutes.
wait_for() {
    local tries=0 state
    while :; do
        state=$(state_of "$1")
        [ "$state" != "$2" ] || return 0
        case $state in
        PENDING) slurm scontrol update "JobId=$1" StartTime=now >/dev/null 2>&1 || true ;;
        FAILED | CANCELLED | TIMEOUT | NODE_FAIL) fail "job $1 ended as $state: $(tail -n 20 slurm-*-"$1".out 2>/dev/null)" ;;
        COMPLETED) fail "job $1 completed before $2" ;;
        esac
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] || fail "job $1 is $state after 300 s, not $2"
        sleep 0.5
    done
}

submit() {
    slurm sbatch --parsable slurm/cifar100.sh "${settings[@]}" --run-dir "$1"
}

same_weights() {
    h5diff -q "$1/checkpoint.h5" "$2/checkpoint.h5" /model || fail "weights differ: $1 $2"
}

refused=$(cat "$scratch/job")
for _ in $(seq 60); do
    [ "$(state_of "$refused")" != FAILED ] || break
    sleep 0.5
done
grep -q "there is no data store" "slurm-elmpi-cifar100-$refused.out" || fail "a missing store goes unexplained"

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out data/digits.h5
job=$(submit runs/calm)
wait_for "$job" COMPLETED
[ -s runs/calm/evaluation.json ] || fail "no evaluation"

# The time limit's signal.
job=$(submit runs/stopped)
wait_for_checkpoint runs/stopped
slurm scancel --batch --signal=USR1 "$job"
wait_for "$job" PENDING
wait_for "$job" RUNNING
wait_for "$job" COMPLETED
grep -q "Resuming from" "slurm-elmpi-cifar100-$job.out" || fail "the requeued job did not resume"
same_weights runs/calm runs/stopped

# The node dies.
job=$(submit runs/killed)
wait_for_checkpoint runs/killed
node=$(slurm scontrol show job "$job" | sed -n 's/^ *NodeList=elm9\([0-9]*\)$/\1/p')
"$lab" kill "$node"
wait_for "$job" PENDING
wait_for "$job" RUNNING
wait_for "$job" COMPLETED
grep -q "Resuming from" "slurm-elmpi-cifar100-$job.out" || fail "the requeued job did not resume"
same_weights runs/calm runs/killed
echo "completed, stopped and resumed, node killed and resumed: the same weights"
