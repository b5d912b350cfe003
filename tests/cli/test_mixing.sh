#!/usr/bin/env bash
# data.mix in whole runs: it learns with every logit loss, resumes bit for bit, does the same on any number of ranks, and is refused where it has no
# meaning.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=3 --set optim.warmup_epochs=0 --set optim.schedule=constant --set model.name=cifar-resnet8)

run() {
    local name=$1
    shift
    expect 0 "$train" "$job" "${common[@]}" --run-dir "$scratch/$name" "$@"
}

run plain
for mix in mixup cutmix; do
    sets=(--set "data.mix=$mix" --set data.mix.alpha=0.4)
    run "$mix" "${sets[@]}"
    awk -F, 'NR == 2 { first = $4 } END { exit !($4 < first) }' "$scratch/$mix/metrics.csv" || fail "$mix does not learn: $(cat "$scratch/$mix/metrics.csv")"
    if h5diff -q "$scratch/plain/checkpoint.h5" "$scratch/$mix/checkpoint.h5" /model/fc.weight >/dev/null; then
        fail "$mix changes nothing"
    fi
    run "$mix-cut" "${sets[@]}" --max-steps 7
    run "$mix-cut" "${sets[@]}" --resume
    for group in model optimizer; do
        h5diff "$scratch/$mix/checkpoint.h5" "$scratch/$mix-cut/checkpoint.h5" "/$group" "/$group" || fail "$mix resumed has another /$group"
    done
    run "$mix-1" "${sets[@]}" --max-steps 1
    for ranks in 2 3 4; do
        expect_mpi 0 "$ranks" "$train" "$job" "${common[@]}" "${sets[@]}" --run-dir "$scratch/$mix-on-$ranks" --max-steps 1
        h5diff -q -d 1e-4 "$scratch/$mix-1/checkpoint.h5" "$scratch/$mix-on-$ranks/checkpoint.h5" /model/fc.weight || fail "$mix does something else on $ranks ranks"
    done
done
run never --set data.mix=mixup --set data.mix.probability=0
h5diff "$scratch/plain/checkpoint.h5" "$scratch/never/checkpoint.h5" /model /model || fail "mixing with probability 0 changes the run"

for loss in logadj ldam cb-focal equalization; do
    expect_mpi 0 3 "$train" "$job" "${common[@]}" --set data.mix=cutmix --set "loss.logit=$loss" --set optim.accumulate=2 --run-dir "$scratch/$loss" --max-steps 3
done

# Refusals, and what has no effect.
expect 2 "$train" "$job" "${common[@]}" --set data.mix=mixup --set loss.embed=pull --run-dir "$scratch/refused"
says stderr 'mixed of two belongs to no class'
run without --set data.mix=mixup --set loss.embed=pull --set loss.lambda=0 --max-steps 1
expect 2 "$train" "$job" "${common[@]}" --set data.mix=mixdown --run-dir "$scratch/refused"
says stderr 'mixup'
expect 2 "$train" "$job" "${common[@]}" --set data.mix=mixup --set data.mix.alpha=0 --run-dir "$scratch/refused"
expect 2 "$train" "$job" "${common[@]}" --set data.mix=cutmix --run-dir "$scratch/mixup-cut" --resume
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
moons=("$ELMPI_SOURCE/jobs/two-moons-logadj.ini" --set "data.store=$scratch/moons.h5" --set optim.epochs=1)
expect 2 "$train" "${moons[@]}" --set data.mix=cutmix --run-dir "$scratch/refused"
says stderr 'feature vectors have no box'
absent "$scratch/refused"
expect 0 "$train" "${moons[@]}" --set data.mix=mixup --run-dir "$scratch/moons"
run noted --set data.mix.alpha=2 --max-steps 0
says stdout 'data\.mix\.alpha is ignored'
