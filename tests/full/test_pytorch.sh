#!/usr/bin/env bash
# The first training step on real images against PyTorch in fp64: 1, 2, 3 and 4 ranks, both backends, ce, logadj, ELM, and a pull term strong enough that a missing
# cross-rank gradient would show.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

python=/usr/bin/python3
"$python" -c 'import torch, h5py' 2>/dev/null || skip "python3-torch and python3-h5py are not installed"
export OMP_NUM_THREADS=1
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
stores=("$scratch/digits.h5")
imbalances=(0)
archive=$ELMPI_SOURCE/../shared/data/cifar-100-rho10.tar.xz
if [ -e "$archive" ]; then
    expect 0 "$ELMPI_BIN/elmpi-prepare" cifar100 --archive "$archive" --out "$scratch/cifar100.h5"
    stores+=("$scratch/cifar100.h5")
    imbalances+=(100)
else
    echo "SKIPPED: CIFAR-100 (no $archive)"
fi
printf '[run]\nname = replay\nprecision = fp32\n[data]\nstore = none\naugment = none\norder = sequential\n[model]\nname = cifar-resnet8\n[optim]\nbatch = 127\nlr = 0.1\nweight_decay = 0.01\nepochs = 5\nwarmup_epochs = 0\nschedule = constant\n' >"$scratch/job.ini"

objectives=("--set loss.logit=ce" "--set loss.logit=logadj" "--set loss.logit=logadj --set loss.embed=pull --set loss.lambda=0.01"
    "--set loss.logit=logadj --set loss.embed=pull --set loss.lambda=1 --set loss.pull.alpha=sqrt-pi")
for i in "${!stores[@]}"; do
    for objective in "${objectives[@]}"; do
        for backend in auto openblas; do
            for ranks in 1 2 3 4; do
                rm -rf "$scratch/zero" "$scratch/one"
                # shellcheck disable=SC2206 # words on purpose
                arguments=("$scratch/job.ini" --set "data.store=${stores[i]}" --set "data.imbalance=${imbalances[i]}" --set "run.backend=$backend" $objective)
                expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --max-steps 0 --run-dir "$scratch/zero"
                expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --max-steps 1 --run-dir "$scratch/one"
                expect 0 "$python" "$ELMPI_SOURCE/tests/full/replay.py" "${stores[i]}" "$scratch/zero/checkpoint.h5" "$scratch/one/checkpoint.h5"
                echo "$backend: $(cat "$scratch/stdout")"
            done
        done
    done
done

# The preset of the public logit-adjustment code: its network, pixels, Nesterov, weight decay, rate and dropped remainder.
if [ -e "$archive" ]; then
    for ranks in 1 3; do
        rm -rf "$scratch/zero" "$scratch/one"
        arguments=("$ELMPI_SOURCE/jobs/cifar100-lt-menon-logadj.ini" --set "data.store=$scratch/cifar100.h5" --set data.augment=none --set data.sampler=sequential
            --set optim.warmup_epochs=0) # the first rates of a warm-up are too small to show in fp32 weights
        expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --max-steps 0 --run-dir "$scratch/zero"
        expect_mpi 0 "$ranks" "$ELMPI_BIN/elmpi-train" "${arguments[@]}" --max-steps 1 --run-dir "$scratch/one"
        expect 0 "$python" "$ELMPI_SOURCE/tests/full/replay.py" "$scratch/cifar100.h5" "$scratch/zero/checkpoint.h5" "$scratch/one/checkpoint.h5"
        echo "menon: $(cat "$scratch/stdout")"
    done
fi
