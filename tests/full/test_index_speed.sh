#!/usr/bin/env bash
# Reading an index as large as iNaturalist 2018's takes time in proportion to its entries: eight times as many, at most twenty times as long.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

programs=$ELMPI_BIN/../tests
need "$programs/index_speed" "the program index_speed (build the tests)"

# seconds EACH: with 8142 classes of so many images.
seconds() {
    yes "$1" | head -n 8142 >"$scratch/counts.txt"
    expect 0 "$programs/write_index" "$scratch/counts.txt" "$scratch/index.h5"
    expect 0 "$programs/index_speed" "$scratch/index.h5"
    tail -n 1 "$scratch/stdout"
}
small=$(seconds 7)
large=$(seconds 56)
echo "$((8142 * 7)) entries: $small s, $((8142 * 56)): $large s"
awk -v small="$small" -v large="$large" 'BEGIN { exit !(small > 0 && large < 20 * small) }' || fail "eight times the entries take $large s instead of $small s"
