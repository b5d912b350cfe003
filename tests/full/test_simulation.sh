#!/usr/bin/env bash
# The simulated cluster: one node takes what its profile says, messages take no less than the link allows, slower links and worse
# algorithms take longer, embeddings that travel cost time.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need "$(command -v smpicc || echo smpicc)" "SimGrid"
# shellcheck disable=SC2034 # cluster.sh reads it
work=$scratch bin=$ELMPI_BIN
# shellcheck source=tests/sim/cluster.sh
. "$ELMPI_SOURCE/tests/sim/cluster.sh"
build_step
printf '%s\n' 'forward 0.02' 'classify 0.001' 'pull 0.001' 'backward 0.05' 'update 0.002' 'state_bytes 200000' 'reduce 1e-10' \
    'bucket 0.01 100000000' 'bucket 0.05 1000000' >"$scratch/node"

# seconds COLUMN ARGUMENTS OF simulate...
seconds() {
    simulate "${@:2}" | cut -d, -f"$1"
}
# holds CONDITION VALUES...: CONDITION in awk over v[1], v[2], ...
holds() {
    awk -v values="${*:2}" "BEGIN { split(values, v, \" \"); exit !($1) }" || fail "$1 does not hold: ${*:2}"
}
step=2 gather=4 allreduce=5
one=$(seconds $step 1 10gbit "$scratch/node" 1 0 halving)
holds 'v[1] > 0.0739 && v[1] < 0.0745' "$one"
# 100 MB in halves, there and back: 80 ms at 10 Gbit/s, of which 40 ms are hidden behind the rest of the backward pass.
holds 'v[1] > 0.04 && v[1] < 0.07' "$(seconds $allreduce 2 10gbit "$scratch/node" 1 0 halving)"
slow=$(seconds $step 16 10gbit "$scratch/node" 1 0 halving)
fast=$(seconds $step 16 100gbit "$scratch/node" 1 0 halving)
holds 'v[1] < v[2] && v[2] < v[3]' "$one" "$fast" "$slow"
holds 'v[1] > 2 * v[2]' "$(seconds $allreduce 16 10gbit "$scratch/node" 1 0 binomial)" "$(seconds $allreduce 16 10gbit "$scratch/node" 1 0 halving)"
holds 'v[1] < v[2]' "$(seconds $step 16 10gbit "$scratch/node" 1 0 bf16)" "$slow"
holds 'v[1] > 0.005 && v[2] == 0' "$(seconds $gather 16 10gbit "$scratch/node" 1 1e7 halving)" "$(seconds $gather 16 10gbit "$scratch/node" 1 0 halving)"
holds 'v[1] < v[2] / 1.5' "$(seconds $step 1 10gbit "$scratch/node" 2 0 halving)" "$one"
[ -z "$(simulate 3 10gbit "$scratch/node" 1 0 halving 2>/dev/null)" ] || fail "three nodes are no power of two"
