#!/usr/bin/env bash
# tools/compare.sh: several jobs and seeds, stopped and continued, and the table beside the paper's figures.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

compare=$ELMPI_SOURCE/tools/compare.sh
export OMP_NUM_THREADS=1 ELMPI_BIN
cd "$scratch"

echo "wrong command lines"
expect 0 "$compare" --help
says stdout 'JOB\[:CLASSIFIER\]'
expect 2 "$compare"
expect 2 "$compare" no-such-job
says stderr 'not a job \(no-such-job\): there is no job no-such-job'
expect 2 "$compare" digits-eml
says stderr 'did you mean digits-elm\?'
expect 2 "$compare" digits-ce --seeds 0,x
says stderr 'no list of seeds'
expect 2 "$compare" digits-ce --ranks 0
expect 2 "$compare" digits-ce --seed 1
says stderr 'unknown flag \(--seed\)'
expect 2 "$compare" digits-ce "$ELMPI_SOURCE/jobs/digits-ce.ini:fc"
says stderr 'given twice'
absent runs

echo "two jobs, two seeds"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out data/digits.h5
printf '[job]\ninclude = %s\n[run]\nname = cifar100-lt-elm\n' "$ELMPI_SOURCE/jobs/digits-elm.ini" >cifar100-lt-elm.ini
settings=(--set data.store=data/digits.h5 --set optim.epochs=2 --set optim.warmup_epochs=0)
expect 0 "$compare" digits-ce cifar100-lt-elm.ini --seeds 0,1 "${settings[@]}"
[ "$(wc -l <"$scratch/stdout")" -eq 4 ] || fail "a table of two jobs has four lines"
says stdout '^\| digits-ce \| 2 \| [0-9.]+ ± [0-9.]+ \|.*\| - \|$'
says stdout '^\| cifar100-lt-elm \| 2 \| .* \| 45.77 \|$'
[ "$(wc -l <runs/compare/comparison.csv)" -eq 5 ] || fail "comparison.csv has not a row for each run"

echo "figures are those of the evaluations"
mean=$(sed -n 's/.*"balanced_accuracy": \([0-9.e-]*\),*/\1/p' runs/compare/digits-ce-seed{0,1}/evaluation.json | awk '{ sum += 100 * $1; n++ } END { printf "%.2f", sum / n }')
says stdout "^\| digits-ce \| 2 \| $mean ±"
cmp -s runs/compare/digits-ce-seed0/checkpoint.h5 runs/compare/digits-ce-seed1/checkpoint.h5 && fail "two seeds gave the same weights"
cp "$scratch/stdout" "$scratch/first-table"

echo "again: nothing is trained twice"
expect 0 "$compare" digits-ce cifar100-lt-elm.ini --seeds 0,1 "${settings[@]}"
says stderr 'Nothing left to do'
says_not stderr 'epoch +2.00  loss'
same "$scratch/stdout" "$scratch/first-table"

echo "another classifier on the same runs; one that cannot be evaluated does not end the comparison"
expect 0 "$compare" digits-ce:ncm --seeds 0,1 "${settings[@]}"
says stdout '^\| digits-ce:ncm \| 2 \|'
absent runs/compare/digits-ce:ncm-seed0
expect 1 "$compare" digits-ce:tau-norm digits-ce "${settings[@]}"
says stderr 'evaluation failed \(runs/compare/digits-ce-seed0, tau-norm\)'
says stdout '^\| digits-ce \| 1 \|'

echo "the table alone; other settings are refused"
expect 0 "$compare" digits-ce --seeds 0,7 --table
says stdout '^\| digits-ce \| 1 \| [0-9.]+ \|'
expect 2 "$compare" digits-ce "${settings[@]}" --set optim.lr=0.01
says stderr 'optim.lr was'

echo "a second stage brings its first with it, and takes one that is there as it is"
stages=(digits-dro-multi-stage digits-crt --seeds 5 --out runs/stages --set data.store=data/digits.h5 --set optim.epochs=1)
expect 0 "$compare" "${stages[@]}"
for run in ce dro-features dro-multi-stage crt; do
    [ -s "runs/stages/digits-$run-seed5/evaluation.json" ] || fail "$run has not been trained"
done
grep -q '^init = runs/stages/digits-dro-features-seed5/checkpoint.h5' runs/stages/digits-dro-multi-stage-seed5/job.ini || fail "the third stage began elsewhere"
h5diff -q runs/stages/digits-ce-seed5/checkpoint.h5 runs/stages/digits-crt-seed5/checkpoint.h5 /model/conv1.weight || fail "the backbone is not the first stage's"
h5diff -q runs/stages/digits-dro-features-seed5/checkpoint.h5 runs/stages/digits-dro-multi-stage-seed5/checkpoint.h5 /model/conv1.weight || fail "the backbone is not the second stage's"
expect 0 "$compare" digits-lws --seeds 5 --out runs/stages --set data.store=data/digits.h5 --set optim.epochs=2
says_not stderr 'digits-ce, seed 5'

echo "stopped, then continued, on two ranks"
# shellcheck disable=SC2054 # the comma is the list of seeds
long=("$compare" digits-ce --seeds=3,4 --ranks 2 --out runs/long --set data.store=data/digits.h5 --set optim.epochs=150 --set checkpoint.every_epochs=1)
"${long[@]}" >/dev/null 2>"$scratch/long.log" &
comparison=$!
wait_for_checkpoint runs/long/digits-ce-seed3
kill -USR1 "$comparison"
code=0
wait "$comparison" || code=$?
[ "$code" -eq 75 ] || fail "a stopped comparison ends with $code: $(cat "$scratch/long.log")"
absent runs/long/digits-ce-seed4 runs/long/digits-ce-seed3/evaluation.json
expect 0 "${long[@]}"
says stderr 'Resuming from .*checkpoint-1-'
says stdout '^\| digits-ce \| 2 \|'
