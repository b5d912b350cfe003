#!/usr/bin/env bash
# Installed batch scripts, submitted to a real Slurm from a folder that is neither the source nor the prefix: runs/ and data/ are there, job and
# program come from the installation. So does a copy of a script, where the program is on the PATH.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
# shellcheck source=tests/full/slurm.sh
. "$(dirname "$0")/slurm.sh"

start_slurm 1
prefix=$scratch/prefix here=$scratch/some\ folder
expect 0 cmake --install "$ELMPI_BIN/.." --prefix "$prefix"
find "$prefix" | sort >"$scratch/before"
mkdir "$here"
cd "$here"
settings=(--set data.store=data/digits.h5 --set data.imbalance=0 --set model.name=cifar-resnet8 --set optim.batch=64 --set optim.lr=0.05 --set optim.epochs=1
    --set run.threads=1 --set optim.schedule=constant)

# What is missing is told by elmpi-train itself, so program and job were found.
refused=$(submit "$prefix/share/elmpi/slurm/cifar100.sh")
wait_until 30 "the refusal" logged "$refused" "cannot open the store"
expect 0 "$prefix/bin/elmpi-prepare" digits --out data/digits.h5

job=$(submit "$prefix/share/elmpi/slurm/cifar100.sh" "${settings[@]}")
wait_for "$job" COMPLETED
[ -s runs/cifar100-lt-elm/evaluation.json ] || fail "no evaluation in the folder that the job was submitted from: $(output "$job")"
grep -q '^cores ' runs/cifar100-lt-elm/log.txt || fail "the log does not say which cores the ranks have"
printf '[job]\ninclude = %s\n[optim]\nepochs = 1\n' "$prefix/share/elmpi/jobs/digits-elm.ini" >short.ini
job=$(submit --array=0-0 "$prefix/share/elmpi/slurm/sweep.sh" short.ini loss.lambda 0.1)
wait_until 600 "the sweep's run" test -s "runs/short-loss.lambda-0.1/evaluation.json"

cp "$prefix/share/elmpi/slurm/cifar100.sh" mine.sh
job=$(PATH=$prefix/bin:$PATH submit mine.sh "${settings[@]}" --run-dir runs/copy)
wait_for "$job" COMPLETED
[ -s runs/copy/evaluation.json ] || fail "no evaluation by a copy of the script: $(output "$job")"

find "$prefix" | sort | cmp -s - "$scratch/before" || fail "something was written into the prefix"
echo "installed scripts work from another folder"
