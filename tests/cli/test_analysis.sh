#!/usr/bin/env bash
# --analysis and --embeddings: the same on any number of ranks, equal to NumPy's figures, refused where they make no sense, never half-written.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
evaluate=$ELMPI_BIN/elmpi-evaluate
check=$ELMPI_SOURCE/tests/cli/analysis.py
full=${1:-}
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "$scratch/digits.h5"
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/digits-elm.ini" --set "data.store=$scratch/digits.h5" --set optim.epochs=4 \
    --set loss.pull.alpha=sqrt-n --run-dir "$scratch/digits"
expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --set optim.epochs=3 \
    --set loss.pull.alpha=pi --run-dir "$scratch/moons"

for run in digits moons; do
    for ranks in 1 2 3 4; do
        expect_mpi 0 "$ranks" "$evaluate" "$scratch/$run/checkpoint.h5" --analysis "$scratch/$run-$ranks.h5" --embeddings "$scratch/$run-e$ranks.h5"
        h5diff -p 1e-6 "$scratch/$run-1.h5" "$scratch/$run-$ranks.h5" >"$scratch/diff" || fail "$run: $ranks ranks differ from one: $(head -3 "$scratch/diff")"
        h5diff "$scratch/$run-e1.h5" "$scratch/$run-e$ranks.h5" >"$scratch/diff" || fail "$run: embeddings of $ranks ranks differ: $(head -3 "$scratch/diff")"
    done
done

echo "mistakes"
cp "$scratch/digits/checkpoint.h5" "$scratch/c.h5"
expect 2 "$evaluate" "$scratch/c.h5" --split train --analysis "$scratch/no.h5"
says stderr 'the training set anyway'
expect 2 "$evaluate" "$scratch/c.h5" --tsne-classes 2
says stderr 'give --analysis too'
expect 1 "$evaluate" "$scratch/c.h5" --analysis "$scratch/absent/no.h5"
says stderr 'cannot write'
expect_mpi 1 2 "$evaluate" "$scratch/c.h5" --embeddings "$scratch/absent/no.h5"
expect 1 "$evaluate" "$scratch/moons/checkpoint.h5" --data "$scratch/digits.h5" --analysis "$scratch/no.h5"
head -c 5000 "$scratch/c.h5" >"$scratch/torn.h5"
expect 1 "$evaluate" "$scratch/torn.h5" --analysis "$scratch/no.h5"
if [ -e "$scratch/no.h5" ] || [ -e "$scratch/no.h5.part" ]; then
    fail "a partial analysis was left behind"
fi

/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip "python3-h5py is not installed: the comparison with NumPy"
echo "against NumPy"
for case in 'digits np.sqrt(n)' 'moons pi'; do
    read -r run rule <<<"$case"
    /usr/bin/python3 "$check" "$scratch/$run-1.h5" "$scratch/$run-e1.h5" "$scratch/$run/evaluation.json" "$rule" ${full:+"$full"} || fail "$run differs"
done
if /usr/bin/python3 "$check" "$scratch/digits-1.h5" "$scratch/digits-e1.h5" "$scratch/digits/evaluation.json" "pi" >"$scratch/stdout"; then
    fail "the comparison accepts a wrong margin"
fi
