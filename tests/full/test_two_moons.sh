#!/usr/bin/env bash
# The paper's Figure 1 in numbers: over five seeds (of points and weights) ELM's embeddings of the tail, and of the head, are more compact than
# those of logit adjustment alone: mean distance from the class's mean over the distance of the two means.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

/usr/bin/python3 -c 'import h5py, numpy' 2>/dev/null || skip "python3-h5py is not installed"
export OMP_NUM_THREADS=1
echo "seed method  head    tail"
for seed in 0 1 2 3 4; do
    expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --seed "$seed" --out "$scratch/$seed.h5"
    for method in logadj elm; do
        run=$scratch/$method-$seed
        expect 0 "$ELMPI_BIN/elmpi-train" "$ELMPI_SOURCE/jobs/two-moons-$method.ini" --set "data.store=$scratch/$seed.h5" --set "run.seed=$seed" --run-dir "$run"
        expect 0 /usr/bin/python3 "$ELMPI_SOURCE/tests/full/two_moons_spread.py" "$scratch/$seed.h5" "$run/checkpoint.h5"
        read -r head tail <"$scratch/stdout"
        printf '%s    %-6s  %.4f  %.4f\n' "$seed" "$method" "$head" "$tail" | tee -a "$scratch/table"
    done
done
awk '{ head[$2] += $3 / 5; tail[$2] += $4 / 5 }
     END { for (m in head) printf "mean %-6s  %.4f  %.4f\n", m, head[m], tail[m]
           exit !(head["elm"] < head["logadj"] && tail["elm"] < tail["logadj"]) }' "$scratch/table" || fail "ELM's embeddings are not more compact"
