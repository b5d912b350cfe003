#!/usr/bin/env bash
# The class bank with as many classes, images and values as iNaturalist has: a step with it costs less than 3 % of a ResNet-50 step on the
# same machine, and memory is shared evenly. INAT_COUNTS names a file of the real class counts (one a line); else a tail like theirs is made.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

limit=7200
batch=1024
program=$ELMPI_BIN/../tests/bank_cost
need "$program" "the program bank_cost (build the tests)"
free_mib=$(awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo)
[ "$free_mib" -gt 6000 ] || skip "3.5 GB for the bank are not free ($free_mib MiB)"
counts=${INAT_COUNTS:-$scratch/counts.txt}
[ -n "${INAT_COUNTS:-}" ] || awk 'BEGIN { for (c = 0; c < 8142; c++) print 2 + int(998 / (1 + c / 90) ^ 1.02) }' >"$counts"

# A ResNet-50 step of the batch, from one of 16 images.
OMP_NUM_THREADS=2 expect 0 "$ELMPI_BIN/elmpi-bench" --model resnet50 --batch 16 --steps 3 --precision auto --json
step=$(sed -nE 's/.*"images_per_s": ([0-9.]+).*/\1/p' "$scratch/stdout" | awk -v batch=$batch '{ print batch / $1 }')
for ranks in 1 2 4; do
    OMP_NUM_THREADS=$((ranks == 1 ? 2 : 1)) expect_mpi 0 "$ranks" "$program" "$counts" fp32 $batch 2048 3
    cat "$scratch/stdout"
    sed -nE 's/.*: bank ([0-9.]+), scope global.*/\1/p' "$scratch/stdout" |
        awk -v step="$step" '{ printf "%.3f s of a step of %.1f s: %.2f %%\n", $1, step, 100 * $1 / step; exit $1 > 0.03 * step }' ||
        fail "more than 3 % of a ResNet-50 step on $ranks ranks"
    sed -nE 's/.*bank ([0-9.]+) MiB on the rank.*/\1/p' "$scratch/stdout" >>"$scratch/memory"
done
awk '{ m[NR] = $1 } END { exit !(NR == 3 && m[2] < 0.52 * m[1] && m[3] < 0.27 * m[1]) }' "$scratch/memory" || fail "memory is not shared evenly"
