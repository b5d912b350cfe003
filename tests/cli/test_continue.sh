#!/usr/bin/env bash
# What a run may go on from, and what becomes of what an earlier start left undone: another data set is refused, the evaluation is made up for,
# files of lost epochs go, a start that failed leaves nothing behind.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
cd "$scratch"
for seed in 0 1; do
    mkdir "$seed"
    expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --seed "$seed" --out "$seed/moons.h5"
done
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --images 1000 --out fewer.h5
cat >job.ini <<INI
[run]
name = moons
evaluate_every_epochs = 1
[data]
store = $scratch/0/moons.h5
[model]
name = mlp:16,8
[optim]
epochs = 3
batch = 5000
lr = 0.1
schedule = constant
warmup_epochs = 0
INI

# figures FOLDER: all but times.
figures() {
    cut -d, -f1-13,17-21 "$1/metrics.csv"
}

# --- ranks that read different stores: nobody hangs, nothing is left
expect_ranks 1 env -C "$scratch/0" "$train" "$scratch/job.ini" --set data.store=moons.h5 --run-dir "$scratch/apart" \
    : env -C "$scratch/1" "$train" "$scratch/job.ini" --set data.store=moons.h5 --run-dir "$scratch/apart"
says stderr "rank 1: another data set than rank 0's \(moons.h5\): labels or images of the training set"
absent apart

# --- a resumed run: its own data set only, wherever it lies
expect 0 "$train" job.ini --run-dir calm
[ "$(wc -l <calm/metrics.csv)" -eq 4 ] || fail "metrics.csv should have a header and three rows"
cp calm/job.ini before.ini
for store in 1/moons.h5 fewer.h5; do
    expect_mpi 1 2 "$train" job.ini --set "data.store=$store" --run-dir calm --resume
    says stderr "another data set than the checkpoint's \($store\)"
done
same before.ini calm/job.ini
cp 0/moons.h5 moved.h5
expect 0 "$train" job.ini --set data.store=moved.h5 --run-dir calm --resume
says stdout "Nothing left to do"

# --- the run ended between its last checkpoint and evaluation.json
cp -p calm/evaluation.json evaluation.json
rm calm/evaluation.json
expect_mpi 0 2 "$train" job.ini --run-dir calm --resume
says stdout "Resuming with 2 ranks"
says stdout "evaluation of step 3 is missing"
same evaluation.json calm/evaluation.json
expect 0 "$train" job.ini --run-dir calm --resume
says stdout "Nothing left to do"
sed -i 's/"step": 3,/"step": 2,/' calm/evaluation.json # of an earlier checkpoint
expect 0 "$train" job.ini --run-dir calm --resume
says stdout "evaluation of step 3 is missing"

# --- rows of epochs that are lost go as soon as the run goes on
figures calm >calm.csv
echo "99,99,0.1,0,0,0,0,,,,0,0,0,,,,," >>calm/metrics.csv
expect 0 "$train" job.ini --run-dir calm --resume --max-steps 3
figures calm >again.csv
same calm.csv again.csv

# --- threads and libraries are no reason to refuse, but worth a word
expect 0 env OMP_NUM_THREADS=2 "$train" job.ini --run-dir calm --resume
says stdout "Resuming on 2 threads a rank, .* what was computed on 1 thread a rank"
grep -Eq '^backend = (onednn|openblas)$' calm/job.ini || fail "job.ini does not say who computes"

# --- as far as --max-steps says, and no further; another length only where no rate or weight follows the whole of it
expect 0 "$train" job.ini --run-dir short --max-steps 2
says stdout "Ended after step 2 of [0-9]+, as --max-steps asks \(checkpoint written\): --resume continues"
expect 0 "$train" job.ini --run-dir short --resume --max-steps 1
says stdout "Nothing left to do: the run has reached step 2 of [0-9]+, and --max-steps asks for no more"
expect 0 "$train" job.ini --run-dir short --resume --max-steps 3 --set optim.epochs=5
for whole in optim.schedule=cosine data.sampler=progressive loss.embed=hybrid-sc; do
    expect 0 "$train" job.ini --set "$whole" --set loss.lambda=0.1 --run-dir "$whole" --max-steps 1
    expect 2 "$train" job.ini --set "$whole" --set loss.lambda=0.1 --run-dir "$whole" --resume --max-steps 2 --set optim.epochs=5
    says stderr 'optim.epochs'
done

# --- asked to stop where an evaluation is due: saved at once, evaluated by the resumed run
(exec "$train" job.ini --set optim.epochs=1000000 --set checkpoint.every_epochs=50 --set checkpoint.keep=1 --run-dir stopped >stdout 2>stderr) &
run=$!
wait_for_checkpoint stopped
kill -USR1 "$run"
code=0
wait "$run" || code=$?
[ "$code" -eq 75 ] || fail "exit code $code after USR1, expected 75"
step=$(readlink stopped/checkpoint.h5)
step=${step##*-}
step=${step%.h5}
[ "$(wc -l <stopped/metrics.csv)" -eq "$step" ] || fail "the run has waited for an evaluation" # a header, and all rows but the last
expect 0 "$train" job.ini --set "optim.epochs=$((step + 2))" --run-dir stopped --resume
expect 0 "$train" job.ini --set "optim.epochs=$((step + 2))" --run-dir undisturbed
figures stopped >stopped.csv
figures undisturbed >undisturbed.csv
same undisturbed.csv stopped.csv
same undisturbed/evaluation.json stopped/evaluation.json
h5diff -q undisturbed/checkpoint.h5 stopped/checkpoint.h5 /model || fail "the weights differ"

# --- a start that fails leaves nothing: the corrected command is welcome
echo "no checkpoint" >broken.h5
for init in nowhere.h5 broken.h5; do
    expect_mpi 1 2 "$train" job.ini --init "$init" --run-dir fresh
    says stderr "$init"
    absent fresh
done
mkdir fresh
echo "mine" >fresh/notes.txt
expect 1 "$train" job.ini --init broken.h5 --run-dir fresh
absent fresh/job.ini fresh/log.txt fresh/claim-1
expect 0 "$train" job.ini --init calm/checkpoint.h5 --run-dir fresh
grep -q "^mine$" fresh/notes.txt || fail "somebody's file is gone"

# --- a second stage goes on without its first
stage=(job.ini --set model.train=classifier --run-dir stage)
expect 0 "$train" "${stage[@]}" --init calm/checkpoint.h5 --max-steps 1
grep -q '^init = calm/checkpoint.h5$' stage/job.ini || fail "job.ini does not say where the weights came from"
expect_mpi 0 2 "$train" "${stage[@]}" --resume
says stdout "Resuming from checkpoint-1-1.h5"
grep -q '^init = calm/checkpoint.h5$' stage/job.ini || fail "job.ini does not say any more where the weights came from"
expect 2 "$train" job.ini --set model.train=classifier --run-dir nostage --resume
says stderr "run.init"
absent nostage

# --- an option that came after the checkpoint has its default there
file=$(readlink -f calm/checkpoint.h5)
old=$(head -c 512 "$file" | grep -a '^sha256 ' | cut -d' ' -f2)
LC_ALL=C sed -i 's/^zero_init_gamma = false$/; of an elmpi before it/' "$file"
sum=$(tail -c +513 "$file" | sha256sum | cut -d' ' -f1)
[ "$sum" != "$old" ] || fail "the option is not in the checkpoint"
LC_ALL=C sed -i "s/$old/$sum/" "$file"
expect 0 "$train" job.ini --run-dir calm --resume
says stdout "Resuming from"
expect 2 "$train" job.ini --set model.zero_init_gamma=true --run-dir calm --resume
says stderr 'zero_init_gamma was "false" and is now "true"'
