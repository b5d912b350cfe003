#!/usr/bin/env bash
# Optimizers in whole runs (optim.name): they learn, go on bit for bit, do the same on any number of ranks and keep what their rows say in checkpoints.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
store=$scratch/digits.h5
job=$ELMPI_SOURCE/jobs/digits-ce.ini
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$store"
common=(--set "data.store=$store" --set optim.epochs=3 --set optim.warmup_epochs=0 --set optim.schedule=cosine --set model.name=cifar-resnet8)

run() {
    local name=$1
    shift
    expect 0 "$train" "$job" "${common[@]}" --run-dir "$scratch/$name" "$@"
}
kept() {
    h5ls "$scratch/$1/checkpoint.h5/optimizer" | awk '{ print $1 }' | paste -sd ' '
}

# name, rate, what its checkpoints hold
while read -r name lr blocks; do
    sets=(--set "optim.name=$name" --set "optim.lr=$lr")
    run "$name" "${sets[@]}"
    [ "$(kept "$name")" = "$blocks" ] || fail "$name keeps $(kept "$name"), not $blocks"
    awk -F, 'NR == 2 { first = $4 } END { exit !($4 < 0.7 * first) }' "$scratch/$name/metrics.csv" || fail "$name does not learn: $(cat "$scratch/$name/metrics.csv")"
    run "$name-cut" "${sets[@]}" --max-steps 7
    run "$name-cut" "${sets[@]}" --resume
    for group in model optimizer; do
        h5diff "$scratch/$name/checkpoint.h5" "$scratch/$name-cut/checkpoint.h5" "/$group" "/$group" || fail "$name resumed has another /$group"
    done
    run "$name-1" "${sets[@]}" --max-steps 1
    for ranks in 2 3 4; do
        expect_mpi 0 "$ranks" "$train" "$job" "${common[@]}" "${sets[@]}" --run-dir "$scratch/$name-on-$ranks" --max-steps 1
        # AdamW's first step is the gradient's sign: where that is near 0 rounding decides
        h5diff -q -d 1e-4 "$scratch/$name-1/checkpoint.h5" "$scratch/$name-on-$ranks/checkpoint.h5" "/optimizer/${blocks%% *}/fc.weight" ||
            fail "$name does something else on $ranks ranks"
    done
done <<'END'
sgd 0.1 momentum
adamw 0.003 exp_avg exp_avg_sq updates
lars 5 momentum
END
grep -qx 'name = adamw' "$scratch/adamw/job.ini" || fail "job.ini does not name the optimizer"

# What an optimizer has no use for is said; another one is another run.
run noted --set optim.name=adamw --set optim.momentum=0.5 --set optim.trust=1 --max-steps 0
says stdout 'optim\.momentum is ignored.*optim\.name = sgd or lars'
says stdout 'optim\.trust is ignored'
expect 2 "$train" "$job" "${common[@]}" --set optim.name=lars --run-dir "$scratch/sgd-cut" --resume
says stderr 'optim\.name'
expect 2 "$train" "$job" "${common[@]}" --set optim.name=adam --run-dir "$scratch/refused"
says stderr 'adamw'
expect 2 "$train" "$job" "${common[@]}" --set optim.name=adamw --set optim.beta2=0.9999999 --run-dir "$scratch/refused"
absent "$scratch/refused"
