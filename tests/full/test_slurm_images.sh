#!/usr/bin/env bash
# slurm/inat.sh and slurm/imagenet.sh, submitted unchanged to a real Slurm on this machine. A job completes; one at its time limit, one whose node
# dies and one whose node is cut off are requeued, resume and end with the same weights; a run that was replaced cannot write any more.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=tests/full/slurm.sh
. "$(dirname "$0")/slurm.sh"

/usr/bin/python3 -c 'import PIL' 2>/dev/null || skip "python3-pil is not installed"
start_slurm 3

expect 0 /usr/bin/python3 "$ELMPI_SOURCE/tests/full/inat_images.py" data
expect 0 "$ELMPI_BIN/elmpi-prepare" inat2018 --archive data/train_val2018.tar.gz --train-list data/train2018.json --val-list data/val2018.json \
    --out data/small.h5
# One thread a rank: the nodes share this machine's cores.
settings=(--set data.store=data/small.h5 --set data.crop=64 --set data.resize=72 --set model.name=resnet18 --set optim.batch=8 --set optim.epochs=4
    --set optim.lr=0.01 --set run.threads=1 --set checkpoint.every_epochs=1)

# inat FOLDER [SBATCH-OPTION...]
inat() {
    local folder=$1
    shift
    submit "$@" slurm/inat.sh "${settings[@]}" --run-dir "$folder"
}

resumed_like_calm() {
    wait_for "$1" COMPLETED
    logged "$1" "Resuming from" || fail "the requeued job did not resume: $(output "$1")"
    same_weights runs/calm "$2"
}

echo "no data: a clear message"
refused=$(submit slurm/imagenet.sh)
wait_until 30 "the refusal" logged "$refused" "cannot open the store (data/imagenet-lt.h5): No such file or directory: check data.store, or make it with elmpi-prepare"

echo "undisturbed"
job=$(inat runs/calm)
wait_for "$job" COMPLETED
logged "$job" "start 1: 2 ranks x" || fail "not one rank a socket: $(output "$job")"
[ -s runs/calm/evaluation.json ] || fail "no evaluation"

echo "time limit, and mpirun as launcher"
job=$(ELMPI_LAUNCHER=mpirun inat runs/limit)
wait_for_checkpoint runs/limit
hold runs/limit
slurm scontrol update "JobId=$job" TimeLimit=3
wait_until 60 "the warning before the time limit" logged "$job" "asked to stop"
let_go
wait_for "$job" PENDING
logged "$job" "stopped and resumable: back into the queue" || fail "not requeued by the script: $(output "$job")"
slurm scontrol update "JobId=$job" TimeLimit=60
wait_for "$job" RUNNING
resumed_like_calm "$job" runs/limit

echo "one of two nodes dies"
job=$(inat runs/killed)
wait_for_checkpoint runs/killed
hold runs/killed
node=$(slurm scontrol show hostnames "$(field "$job" NodeList)" | sed -n '2s/.*n//p') # the one without the script
"$lab" kill "$node"
let_go
wait_for "$job" PENDING
wait_for "$job" RUNNING
resumed_like_calm "$job" runs/killed
"$lab" start "$node"

echo "link cut: an orphan beside its successor"
job=$(inat runs/cut --nodes=1 --ntasks-per-node=2)
wait_for_checkpoint runs/cut
hold runs/cut
node=$(node_of "$job")
"$lab" cut "$node"
since=$SECONDS
wait_for "$job" PENDING
wait_for "$job" RUNNING
wait_until 60 "the successor's checkpoint" compgen -G "runs/cut/checkpoint-2-*.h5" >/dev/null
let_go # the orphan goes on, still cut off from Slurm, and comes to its next checkpoint
wait_until 60 "the end of the orphan" gone
logged "$job" "run 2 has taken the folder over from this run, 1" || fail "the orphan was not refused: $(output "$job")"
while [ $((SECONDS - since)) -lt 25 ]; do sleep 0.5; done
"$lab" heal "$node"
resumed_like_calm "$job" runs/cut
# The orphan's srun may end its successor's step once the link is back (both are step 0 of the job): a stop like any other, and a third start.
case $(readlink runs/cut/checkpoint.h5) in
checkpoint-[23]-*) ;;
*) fail "checkpoint.h5 is not a successor's" ;;
esac
for file in runs/cut/checkpoint-*.h5; do
    expect 0 "$ELMPI_BIN/elmpi-evaluate" "$file" --json "$scratch/whole.json"
done
echo "completed; stopped at the time limit, a node killed, a node cut off: resumed with the same weights"
