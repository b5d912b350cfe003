#!/usr/bin/env bash
# Classifiers after training: the same predictions on any number of ranks, those of an independent computation, tau chosen on held-out images
# and never on the split that is evaluated, settings that make no sense refused.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
evaluate=$ELMPI_BIN/elmpi-evaluate
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-ce.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=8 --set data.holdout=2 --run-dir "$scratch/run"
checkpoint=$scratch/run/checkpoint.h5

classifiers=(fc posthoc-la tau-norm ncm knn)
if "$evaluate" "$checkpoint" --classifier lda --json "$scratch/lda.json" >"$scratch/stdout" 2>"$scratch/stderr"; then
    classifiers+=(lda)
    grep -q '"epsilon": 0.0001' "$scratch/lda.json" || fail "the file does not say the shrinkage"
    expect 2 "$evaluate" "$checkpoint" --classifier lda --epsilon 0
else
    says stderr 'no ScaLAPACK'
    echo "no ScaLAPACK in this build: lda is not tried"
fi
expect 2 "$evaluate" "$checkpoint" --classifier ncm --epsilon 1
for classifier in "${classifiers[@]}"; do
    expect 0 "$evaluate" "$checkpoint" --classifier "$classifier" --json "$scratch/1.json"
    grep -q "\"classifier\": \"$classifier\"" "$scratch/1.json" || fail "$classifier: not named"
    for ranks in 2 3 4; do
        expect_mpi 0 "$ranks" "$evaluate" "$checkpoint" --classifier "$classifier" --json "$scratch/$ranks.json"
        same "$scratch/1.json" "$scratch/$ranks.json"
    done
done

echo "tau is chosen on what was held out"
expect 0 "$evaluate" "$checkpoint" --classifier tau-norm
says stdout 'tau [0-9.]+, chosen on the holdout split'
grep -q '"tau_chosen_on": "holdout"' "$scratch/run/evaluation-checkpoint-tau-norm.json" || fail "the file does not say who chose tau"
expect 2 "$evaluate" "$checkpoint" --classifier tau-norm --select-on test
says stderr 'a biased result'
expect 2 "$evaluate" "$checkpoint" --classifier tau-norm --split holdout
says stderr 'nothing to choose tau on'
expect 0 "$evaluate" "$checkpoint" --classifier tau-norm --split holdout --tau 0.5
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-ce.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=1 --run-dir "$scratch/plain"
expect 2 "$evaluate" "$scratch/plain/checkpoint.h5" --classifier tau-norm
says stderr 'data.holdout'

echo "settings that make no sense"
expect 2 "$evaluate" "$checkpoint" --classifier fc --tau 1
says stderr 'fc does not use this option \(--tau\)'
expect 2 "$evaluate" "$checkpoint" --classifier ncm --k 5
says stderr '--k'
expect 2 "$evaluate" "$checkpoint" --classifier knn --distance far
says stderr 'euclidean or cosine'
expect 2 "$evaluate" "$checkpoint" --classifier tau-norm --tau 1 --select-on holdout
says stderr 'omit one'
expect 2 "$evaluate" "$checkpoint" --classifier kn
says stderr 'knn'

/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip "python3-h5py is not installed: the comparison with an independent computation"
echo "against an independent computation"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --set optim.epochs=8 --set optim.warmup_epochs=1 --run-dir "$scratch/moons"
expect 0 "$evaluate" "$scratch/moons/checkpoint.h5" --classifier posthoc-la --json "$scratch/moons.json"
says stderr 'logadj has removed the priors .*use fc'
expect 0 "$evaluate" "$scratch/run/checkpoint.h5" --classifier posthoc-la --json "$scratch/moons.json"
says_not stderr 'logadj'
expect 0 /usr/bin/python3 "$(dirname "$0")/classifiers.py" "$scratch/moons.h5" "$scratch/moons/checkpoint.h5"
cp "$scratch/stdout" "$scratch/expected"
while read -r name correct; do
    [[ " ${classifiers[*]} " == *" ${name%-cosine} "* ]] || continue
    options=(--classifier "${name%-cosine}")
    case $name in
    tau-norm) options+=(--tau 1) ;;
    knn-cosine) options+=(--k 4 --distance cosine) ;;
    esac
    expect 0 "$evaluate" "$scratch/moons/checkpoint.h5" "${options[@]}" --json "$scratch/moons.json"
    found=$(sed -n 's/.*"correct": \([0-9]*\).*/\1/p' "$scratch/moons.json")
    echo "  $name: $found correct, independently $correct"
    # An image between two classes may fall to either side: float against double embeddings.
    off=$((found - correct))
    [ "${off#-}" -le 2 ] || fail "$name: $found correct, independently $correct"
done <"$scratch/expected"
