#!/usr/bin/env bash
# elmpi-train and elmpi-bench as a user meets them: help, a small run, and every kind of wrong input: clear error, right exit code, no hang, nothing half-written.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-elm.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=2)

# refuses CODE PATTERN ARGUMENT...: alone and on 2 ranks, and leaves no checkpoint.
refuses() {
    local code=$1 pattern=$2
    shift 2
    expect "$code" "$train" "$@" --run-dir "$scratch/refused"
    says stderr "^elmpi-train: error: .*$pattern"
    expect_mpi "$code" 2 "$train" "$@" --run-dir "$scratch/refused"
    says stderr "^elmpi-train: error: .*$pattern"
    absent "$scratch/refused"
}

expect 0 "$train" --help
says stdout "optim.lr"
says stdout "loss.pull.alpha"
expect 0 "$train" --version
says stdout "elmpi-train [0-9]"

# Wrong command lines and job files.
refuses 2 "job file"
refuses 2 "no-such-job.ini" "$scratch/no-such-job.ini"
refuses 2 "did you mean optim.lr" "$job" "${common[@]}" --set optim.lrr=0.1
refuses 2 "optim.lr" "$job" "${common[@]}" --set optim.lr=fast
refuses 2 "optim.momentum" "$job" "${common[@]}" --set optim.momentum=1.5
refuses 2 "cifar-resnet" "$job" "${common[@]}" --set model.name=vgg16
refuses 2 "logadj" "$job" "${common[@]}" --set loss.logit=logajd
refuses 2 "pull" "$job" "${common[@]}" --set loss.embed=push
refuses 2 "64 images cannot be cut into 65 parts" "$job" "${common[@]}" --set optim.accumulate=65
refuses 2 "group:<images>" "$job" "${common[@]}" --set model.bn=some
printf '[run]\nname = x\n[optim]\nlearning_rate = 1\n' >"$scratch/bad.ini"
refuses 2 "bad.ini:4" "$scratch/bad.ini"
printf '[run]\nname = x\nname = y\n' >"$scratch/bad.ini"
refuses 2 "bad.ini:3" "$scratch/bad.ini"
expect_mpi 2 3 "$train" "$job" "${common[@]}" --set optim.batch=2 --run-dir "$scratch/refused"
says stderr "fewer than the 3 ranks"

# Wrong data.
refuses 2 "no-such.h5" "$job" --set "data.store=$scratch/no-such.h5"
head -c 20000 "$store" >"$scratch/truncated.h5"
refuses 1 "truncated.h5" "$job" --set "data.store=$scratch/truncated.h5"
echo "not a store" >"$scratch/text.h5"
refuses 1 "text.h5" "$job" --set "data.store=$scratch/text.h5"
refuses 2 "imbalance" "$job" "${common[@]}" --set data.imbalance=0.5

# Wrong --init.
expect_mpi 1 2 "$train" "$job" "${common[@]}" --init "$store" --run-dir "$scratch/refused"
says stderr "digits.h5"
absent "$scratch/refused"

# A small run and what it leaves.
expect_mpi 0 3 "$train" "$job" "${common[@]}" --run-dir "$scratch/run"
for file in job.ini metrics.csv log.txt checkpoint.h5 evaluation.json; do
    [ -s "$scratch/run/$file" ] || fail "$file is missing"
done
says stdout "epoch +2.00"
[ "$(wc -l <"$scratch/run/metrics.csv")" -eq 3 ] || fail "metrics.csv should have a header and two rows"
expect 0 "$train" "$scratch/run/job.ini" --run-dir "$scratch/again" # the resolved job is a job
expect 2 "$train" "$job" "${common[@]}" --run-dir "$scratch/run"
says stderr "resume"
expect 2 "$train" "$job" "${common[@]}" --set optim.lr=0.011 --run-dir "$scratch/run" --resume
says stderr "optim.lr"

# Initial weights, and steps one by one.
expect 0 "$train" "$job" "${common[@]}" --max-steps 0 --run-dir "$scratch/zero"
[ -s "$scratch/zero/checkpoint.h5" ] || fail "no initial weights"
expect_mpi 0 2 "$train" "$job" "${common[@]}" --max-steps 0 --run-dir "$scratch/zero2"
h5diff -q "$scratch/zero/checkpoint.h5" "$scratch/zero2/checkpoint.h5" /model || fail "initial weights depend on the number of ranks"
expect 0 "$train" "$job" "${common[@]}" --init "$scratch/zero/checkpoint.h5" --max-steps 1 --run-dir "$scratch/one"

# Numbers that break after a good beginning: a clear message, the last good checkpoint intact. From the second epoch on the rate is absurd.
breaking=("$job" "${common[@]}" --set optim.epochs=20 --set optim.schedule=multistep --set optim.milestones=1 --set optim.gamma=1e6 --set optim.warmup_epochs=0)
expect_mpi 1 2 "$train" "${breaking[@]}" --set checkpoint.every_epochs=0.5 --set checkpoint.keep=0 --run-dir "$scratch/nan"
says stderr "not finite.*the last checkpoint is intact"
expect_mpi 0 2 "$train" "${breaking[@]}" --max-steps 4 --run-dir "$scratch/good"
[ -s "$scratch/nan/checkpoint-1-4.h5" ] || fail "no checkpoint before the numbers broke"
h5diff -q "$scratch/nan/checkpoint-1-4.h5" "$scratch/good/checkpoint-1-4.h5" /model || fail "the first checkpoint is another one"
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/nan/checkpoint-1-4.h5"

# A full disk while checkpointing: every rank ends, nothing half-written.
if [ "$(id -u)" -eq 0 ] && mkdir "$scratch/small" && mount -t tmpfs -o size=600k tmpfs "$scratch/small" 2>/dev/null; then
    trap 'umount "$scratch/small"; rm -rf "$scratch"' EXIT
    expect_mpi 1 2 "$train" "$job" "${common[@]}" --run-dir "$scratch/small/run"
    says stderr "checkpoint"
    ! compgen -G "$scratch/small/run/*.tmp*" >/dev/null || fail "a temporary file was left behind"
else
    echo "SKIPPED: full disk (needs root to mount a small file system)"
fi

# The bench.
expect_mpi 0 2 "$ELMPI_BIN/elmpi-bench" --model cifar-resnet8 --batch 16 --steps 2 --set loss.embed=pull --json
tail -n 1 "$scratch/stdout" | grep -Eq '^\{.*"images_per_s": [0-9.]+.*"peak_share": [0-9.]+.*"phases": \{.*\}\}$' || fail "no JSON line"
expect 2 "$ELMPI_BIN/elmpi-bench" --model vgg16
says stderr "unknown model"

echo "precision"
quick=("$train" "$job" "${common[@]}" --max-steps 2)
export ONEDNN_MAX_CPU_ISA=AVX2 # as on a CPU that has no bf16
expect 0 "${quick[@]}" --set run.precision=auto --run-dir "$scratch/precision-auto"
grep -qx 'precision = fp32' "$scratch/precision-auto/job.ini" || fail "auto is not fp32 on a CPU without bf16"
expect 2 "${quick[@]}" --set run.precision=bf16 --run-dir "$scratch/precision-bf16"
says stderr '(does not multiply bf16 in hardware|fp32 alone).*run.precision'
absent "$scratch/precision-bf16"
unset ONEDNN_MAX_CPU_ISA
expect 2 "${quick[@]}" --set run.precision=bf16 --set run.backend=openblas --run-dir "$scratch/precision-bf16"
says stderr 'OpenBLAS computes convolutions in fp32 alone'
# What was resolved stays resolved: a run that began in fp32 goes on in fp32, wherever auto would now be bf16.
expect 0 "${quick[@]}" --max-steps 4 --set run.precision=auto --run-dir "$scratch/precision-auto" --resume
says stdout 'Resuming from'
grep -qx 'precision = fp32' "$scratch/precision-auto/job.ini" || fail "a resume has changed the precision"
if "${quick[@]}" --set run.precision=bf16 --run-dir "$scratch/half" >"$scratch/stdout" 2>"$scratch/stderr"; then
    expect 2 "${quick[@]}" --max-steps 4 --set run.precision=fp32 --run-dir "$scratch/half" --resume
    says stderr 'run.precision was "bf16"'
    expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/half/checkpoint.h5"
    # Ranks that compute for different CPUs are refused.
    expect_ranks 2 "${quick[@]}" --set run.precision=auto --run-dir "$scratch/mixed" : env ONEDNN_MAX_CPU_ISA=AVX2 "${quick[@]}" --set run.precision=auto --run-dir "$scratch/mixed"
    says stderr 'kinds of CPU'
    absent "$scratch/mixed"
    ONEDNN_MAX_CPU_ISA=AVX2 expect 2 "$ELMPI_BIN/elmpi-evaluate" "$scratch/half/checkpoint.h5" --precision bf16
    # Elsewhere it is evaluated in fp32, but not trained on.
    ONEDNN_MAX_CPU_ISA=AVX2 expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/half/checkpoint.h5"
    ONEDNN_MAX_CPU_ISA=AVX2 expect 2 "${quick[@]}" --max-steps 4 --set run.precision=auto --run-dir "$scratch/half" --resume
    says stderr 'run.precision was "bf16"'
else
    says stderr 'does not multiply bf16|fp32 alone'
    echo "no bf16 here"
fi
