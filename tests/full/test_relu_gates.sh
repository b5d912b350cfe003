#!/usr/bin/env bash
# ELM on CIFAR100-LT, fp32, one rank beside two, 12 steps: the runs agree to rounding until a ReLU's input so near to 0 that rounding decides its
# sign comes by (docs/verification.md).
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

python=/usr/bin/python3
"$python" -c 'import torch, h5py' 2>/dev/null || skip "python3-torch and python3-h5py are not installed"
archive=$ELMPI_SOURCE/../shared/data/cifar-100-rho10.tar.xz
[ -e "$archive" ] || skip "CIFAR-100 is not there ($archive)"
export OMP_NUM_THREADS=1
steps=12
expect 0 "$ELMPI_BIN/elmpi-prepare" cifar100 --archive "$archive" --out "$scratch/cifar100.h5"
job=("$ELMPI_SOURCE/jobs/cifar100-lt-elm.ini" --set "data.store=$scratch/cifar100.h5" --set model.name=cifar-resnet8 --set run.precision=fp32
    --set data.augment=none --set data.sampler=sequential --set run.evaluate_every_epochs=0)
for seed in 0 1; do
    for run in one more; do
        ranks=1
        [ "$run" = one ] || ranks=2
        resume=()
        for n in $(seq 0 $((steps - 1))); do
            expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${job[@]}" --set "run.seed=$seed" --max-steps "$n" --run-dir "$scratch/$run" "${resume[@]}"
            cp -L "$scratch/$run/checkpoint.h5" "$scratch/$run-$n.h5"
            resume=(--resume)
        done
        rm -rf "${scratch:?}/$run"
    done
    expect 0 "$python" "$ELMPI_SOURCE/tests/full/relu_gates.py" "$scratch/cifar100.h5" "$scratch" "$steps"
    echo "seed $seed:"
    cat "$scratch/stdout"
done
