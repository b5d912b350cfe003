#!/usr/bin/env bash
# data.sampler and data.holdout from the command line: what is refused, what the log says, and that training and evaluation hold
# out the same images.
set -euo pipefail
. "$(dirname "$0")/../cli/lib.sh"

train=$ELMPI_BIN/elmpi-train
evaluate=$ELMPI_BIN/elmpi-evaluate
export OMP_NUM_THREADS=1
cat >"$scratch/job.ini" <<INI
[run]
name = sampled
evaluate_every_epochs = 1
[data]
store = $scratch/moons.h5
augment = none
[model]
name = mlp:16,8,2
[loss]
logit = ce
[optim]
epochs = 3
batch = 50
lr = 0.1
INI
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
cd "$scratch"

# --- bad values: exit 2, the valid ones named
refuses() {
    expect 2 "$train" job.ini --run-dir refused --set "$1"
    says stderr "$2"
    absent refused/checkpoint.h5
}
refuses data.sampler=balanced 'instance, sequential, window:<n>.* class-balanced, sqrt, progressive or class-aware:<k>'
refuses data.sampler=class-aware 'class-aware:<k>'
refuses data.sampler=class-aware:0 'k from 1'
refuses data.sampler=window:9 'n from 64'
refuses data.holdout=-3 'share of each class'
refuses data.holdout=1.5 'share of each class'

# --- old keys, which job files and checkpoints of before hold
expect 2 "$train" job.ini --run-dir refused --set data.sampler=sqrt --set data.order=sequential
says stderr 'data.order = sequential .--set. is at odds with data.sampler = sqrt .--set.'
expect 0 "$train" job.ini --run-dir old --set data.order=sequential
says stdout 'note: data.order = sequential is an old key .--set.: read as data.sampler = sequential'
expect 0 "$train" job.ini --run-dir new --set data.sampler=sequential
same old/job.ini new/job.ini
for run in old new; do
    cut -d, -f1-13 "$run/metrics.csv" >"$run.figures"
    grep -v '"checkpoint"' "$run/evaluation.json" >"$run.json"
done
same old.figures new.figures
same old.json new.json
sed 's/^sampler = sequential/order = sequential\nsampler = instance\nshuffle = full/; s/^scope = /pull.&/' new/job.ini >before.ini
expect 0 "$train" before.ini --run-dir before --max-steps 7
expect 0 "$train" before.ini --run-dir before --resume
says stdout 'note: data.shuffle = full is an old key .before.ini:[0-9]*.: read as data.sampler = sequential'
same before/job.ini new/job.ini
grep -v '"checkpoint"' before/evaluation.json >before.json
same before.json new.json
expect 0 "$train" job.ini --run-dir noted --max-steps 1 --set data.sampler=sqrt --set data.shuffle=window:100
says stdout 'note: data.shuffle = window:100 is an old key .--set.: read as data.sampler = sqrt'
expect 0 "$train" job.ini --run-dir windowed --max-steps 1 --set data.shuffle=window:100
says stdout 'shuffled within a window:100'

# --- every sampler trains; two ranks draw what one draws
for sampler in class-balanced sqrt progressive class-aware:4; do
    expect 0 "$train" job.ini --run-dir "one-$sampler" --set "data.sampler=$sampler"
    says stdout "sampler $sampler"
    expect_mpi 0 2 "$train" job.ini --run-dir "two-$sampler" --set "data.sampler=$sampler"
    for run in one two; do
        cut -d, -f1,2,3 "$run-$sampler/metrics.csv" >"$run.steps"
        awk -F, 'NR > 1 { printf "%.3f\n", $4 }' "$run-$sampler/metrics.csv" >"$run.loss"
    done
    same one.steps two.steps
    paste one.loss two.loss | awk '{ if (($1 - $2) ^ 2 > 4e-6) exit 1 }' || fail "$sampler: two ranks train on something else"
done

# --- stopped in mid-epoch and resumed: bit for bit
expect 0 "$train" job.ini --run-dir stopped --set data.sampler=progressive --max-steps 7
expect 0 "$train" job.ini --run-dir stopped --set data.sampler=progressive --resume
grep -v '"checkpoint"' stopped/evaluation.json >stopped.json
grep -v '"checkpoint"' one-progressive/evaluation.json >whole.json
same stopped.json whole.json

# --- held-out images
expect 0 "$train" job.ini --run-dir held --set data.holdout=5
says stdout '10 more images of the training set are held out'
says stdout 'Best on the held-out images so far \(chosen by them, not by the test set\): [0-9.]+% at epoch [0-9.]+, where the test set gives'
says stdout 'Best on the test set so far \(chosen by the test set'
head -n 1 held/metrics.csv | grep -q 'test_tail,holdout_balanced_accuracy,holdout_accuracy' || fail "no columns for the held-out images"
column() { # NAME: its last value
    awk -F, -v name="$1" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == name) c = i } END { printf "%.6f\n", $c }' held/metrics.csv
}
for ranks in 1 3; do
    expect_mpi 0 "$ranks" "$evaluate" held/checkpoint.h5 --split holdout
    [ -s held/evaluation-checkpoint-fc-holdout.json ] || fail "no figures of the held-out images"
    column holdout_balanced_accuracy >during
    sed -n 's/.*"balanced_accuracy": *\([0-9.]*\).*/\1/p' held/evaluation-checkpoint-fc-holdout.json | head -n 1 |
        awk '{ printf "%.6f\n", $1 }' >after
    same during after
    grep -Eq '"images": *10\b' held/evaluation-checkpoint-fc-holdout.json || fail "not the ten images that were held out"
done
expect 2 "$evaluate" one-sqrt/checkpoint.h5 --split holdout
says stderr 'no image is held out \(data.holdout = 0\)'
expect 2 "$train" job.ini --run-dir held --set data.holdout=6 --resume
says stderr 'data.holdout was "5" and is now "6"'
