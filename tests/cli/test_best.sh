#!/usr/bin/env bash
# checkpoint.best and checkpoint.early_stop: the checkpoint that the held-out images choose, also in a resumed run and on several ranks, evaluated under
# its own name; the early stop, which a resumed run remembers; what cannot be chosen is refused.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
evaluate=$ELMPI_BIN/elmpi-evaluate
store=$scratch/moons.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$store"
cat >"$scratch/job.ini" <<INI
[run]
name = moons
evaluate_every_epochs = 1
[data]
store = $store
holdout = 0.2
[model]
name = mlp:16,8,2
[loss]
logit = ce
[optim]
epochs = 8
lr = 0.5
schedule = constant
warmup_epochs = 0
[checkpoint]
best = holdout
keep = 2
INI

run() {
    local name=$1
    shift
    expect 0 "$train" "$scratch/job.ini" --run-dir "$scratch/$name" "$@"
}
# The first row of metrics.csv with the highest balanced accuracy of the held-out images: its step and that accuracy.
chosen() {
    /usr/bin/python3 - "$scratch/$1/metrics.csv" <<'PY'
import csv, sys
rows = [r for r in csv.DictReader(open(sys.argv[1])) if r['holdout_balanced_accuracy']]
best = max(rows, key=lambda r: float(r['holdout_balanced_accuracy']))
print(best['step'], round(float(best['holdout_balanced_accuracy']), 9))
PY
}
check_best() { # RUN
    local file step accuracy
    read -r step accuracy < <(chosen "$1")
    file=$(readlink "$scratch/$1/best.h5") || fail "$1: no best.h5"
    [[ $file == best-*-$step.h5 ]] || fail "$1: best.h5 is $file, but step $step was the best"
    [ "$(find "$scratch/$1" -name 'best-*.h5' | wc -l)" -eq 1 ] || fail "$1: earlier best checkpoints are left"
    expect 0 "$evaluate" "$scratch/$1/best.h5" --split holdout --json "$scratch/best.json"
    says stderr 'have chosen this checkpoint.*no result'
    /usr/bin/python3 -c 'import json, sys; sys.exit(abs(json.load(open(sys.argv[1]))["balanced_accuracy"] - float(sys.argv[2])) > 1e-6)' "$scratch/best.json" "$accuracy" ||
        fail "$1: best.h5 does not have the accuracy that chose it, $accuracy"
}

run whole
says stdout 'best\.h5 holds its weights'
check_best whole
[ "$(find "$scratch/whole" -name 'checkpoint-*.h5' | wc -l)" -eq 2 ] || fail "checkpoint.keep counts the best one"

# Its figures go to a file of their own, which says what they are; the last checkpoint's stay.
cp "$scratch/whole/evaluation.json" "$scratch/before.json"
expect 0 "$evaluate" "$scratch/whole/best.h5"
says stdout 'the best on the held-out images'
says_not stderr 'not the newest'
grep -q '"checkpoint_chosen_on": "holdout"' "$scratch/whole/evaluation-best-fc.json" || fail "the evaluation does not say who chose the checkpoint"
same "$scratch/whole/evaluation.json" "$scratch/before.json"
if grep -q chosen_on "$scratch/whole/evaluation.json"; then
    fail "the last checkpoint is said to have been chosen"
fi

# Without it nothing else changes.
run plain --set checkpoint.best=none
absent "$scratch/plain/best.h5"
h5diff "$scratch/plain/checkpoint.h5" "$scratch/whole/checkpoint.h5" /model /model || fail "choosing a checkpoint changes the run"

# Stopped and resumed, at an evaluation and between two: the same choice, bit for bit.
steps=$(tail -1 "$scratch/whole/metrics.csv" | cut -d, -f2)
for step in $((steps / 2)) $((steps / 2 + 1)); do
    run "cut-$step" --max-steps "$step"
    run "cut-$step" --resume
    check_best "cut-$step"
    for group in model optimizer; do
        h5diff "$scratch/whole/best.h5" "$scratch/cut-$step/best.h5" "/$group" "/$group" || fail "resumed after step $step another checkpoint is the best"
    done
done

# On several ranks.
for ranks in 2 3; do
    expect_mpi 0 "$ranks" "$train" "$scratch/job.ini" --run-dir "$scratch/on-$ranks" --set optim.epochs=3
    check_best "on-$ranks"
done

# Weights that do not move: the first evaluation is the best, and two epochs after it the run ends, with its evaluation.
still=(--set optim.lr=0 --set checkpoint.early_stop=2)
run still "${still[@]}"
says stdout 'Stopped early: nothing better on the held-out images for 2 epochs \(checkpoint\.early_stop = 2\)'
[ "$(tail -1 "$scratch/still/metrics.csv" | cut -d, -f1)" = 3 ] || fail "stopped at another epoch than 3: $(cat "$scratch/still/metrics.csv")"
grep -q '"step": '"$((steps * 3 / 8))" "$scratch/still/evaluation.json" || fail "no evaluation of the last step"
check_best still
run still "${still[@]}" --resume
says stdout 'Nothing left to do'
run still --set optim.lr=0 --set checkpoint.early_stop=4 --resume
[ "$(tail -1 "$scratch/still/metrics.csv" | cut -d, -f1)" = 5 ] || fail "a longer wait does not go on: $(cat "$scratch/still/metrics.csv")"
# resumed between two evaluations it stops where the whole run does
run between "${still[@]}" --set checkpoint.early_stop=1.5 --max-steps $((steps * 5 / 16 + 1))
run between "${still[@]}" --set checkpoint.early_stop=1.5 --resume
[ "$(tail -1 "$scratch/between/metrics.csv" | cut -d, -f1)" = 3 ] || fail "resumed in mid-epoch the stop is another: $(cat "$scratch/between/metrics.csv")"
expect_mpi 0 2 "$train" "$scratch/job.ini" --run-dir "$scratch/still-2" "${still[@]}"
[ "$(tail -1 "$scratch/still-2/metrics.csv" | cut -d, -f1)" = 3 ] || fail "two ranks stop elsewhere"

# Who is resumed with it only now has no weights of the best epoch: it is said, and nothing else is.
first=$((steps / 8))
run late --set optim.lr=0 --set checkpoint.best=none --max-steps $((2 * first))
run late --set optim.lr=0 --resume
says stderr "the best on the held-out images so far is step $first, and its weights were not kept, until"
says stdout 'at epoch 1\.00.*; its weights were not kept'
says_not stdout 'best\.h5 holds'
absent "$scratch/late/best.h5"

# The same where an older best one is left.
step=$(chosen whole | cut -d' ' -f1)
[ "$step" -gt "$first" ] || fail "the first epoch is the best: nothing is tested here"
run stale --max-steps "$first"
run stale --set checkpoint.best=none --max-steps "$step" --resume
run stale --resume
says stderr "so far is step $step, and its weights were not kept: best\.h5 holds those of step $first, until"
says stdout "; its weights were not kept: best\.h5 holds those of step $first"

# Killed after a better one was found, before a checkpoint that knows it: the best of the older checkpoint is there, and is chosen again.
run killed --set optim.lr=0 --max-steps $((2 * first))
cp "$scratch/killed/best-1-$first.h5" "$scratch/killed/best-1-$((3 * first)).h5"
ln -sf "best-1-$((3 * first)).h5" "$scratch/killed/best.h5"
run killed --set optim.lr=0 --resume
says_not stderr 'not kept'
says stdout '; best\.h5 holds its weights'
check_best killed

# The file says that it was chosen, not its name.
mkdir "$scratch/elsewhere"
cp "$scratch/whole/best.h5" "$scratch/elsewhere/renamed.h5"
cp "$scratch/whole/checkpoint.h5" "$scratch/elsewhere/best.h5"
expect 0 "$evaluate" "$scratch/elsewhere/renamed.h5" --split holdout
says stdout 'the best on the held-out images'
says stderr 'have chosen this checkpoint'
expect 0 "$evaluate" "$scratch/elsewhere/best.h5" --split holdout
says_not stdout 'the best on the held-out images'
says_not stderr 'have chosen this checkpoint'

# A folder with nothing but the best one is an earlier run's.
mkdir "$scratch/only"
cp "$scratch/whole/best.h5" "$scratch/only/$(readlink "$scratch/whole/best.h5")"
expect 2 "$train" "$scratch/job.ini" --run-dir "$scratch/only"
says stderr 'holds an earlier run.*best-1-'

# Nothing to choose by, and what has no meaning without a choice.
expect 2 "$train" "$scratch/job.ini" --run-dir "$scratch/refused" --set data.holdout=0
says stderr 'checkpoint\.best = holdout.*data\.holdout'
expect 2 "$train" "$scratch/job.ini" --run-dir "$scratch/refused" --set run.evaluate_every_epochs=0
says stderr 'run\.evaluate_every_epochs'
expect 2 "$train" "$scratch/job.ini" --run-dir "$scratch/refused" --set checkpoint.best=test
absent "$scratch/refused"
run noted --set checkpoint.best=none --set checkpoint.early_stop=2 --max-steps 0
says stdout 'checkpoint\.early_stop is ignored'
