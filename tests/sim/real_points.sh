#!/usr/bin/env bash
# Holds the simulation to two real points: ResNet-50 on 2 ranks, one thread each, over memory and over a link of 1 Gbit/s between two network
# namespaces (root, iproute2). What the ranks compute and when buckets are full comes from the run over memory; the rest is predicted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${ELMPI_BIN:-$here/../../build/bin}" && pwd)
# shellcheck source=tests/sim/cluster.sh
. "$here/cluster.sh"
# shellcheck source=tests/sim/two-hosts.sh
. "$here/two-hosts.sh"
# shellcheck source=tools/environment.sh
. "$here/../../tools/environment.sh"
work=$(mktemp -d)
cleanup() {
    hosts_down
    rm -rf "$work"
}
hosts=()
trap cleanup EXIT
hosts_up elmsim "$work"
link_rate 1gbit

images=${1:-4} # a rank
run=("$bin/elmpi-bench" --model resnet50 --classes 8142 --batch $((2 * images)) --steps 6 --threads 1 --set loss.embed=pull --set model.bn=rank --json)
over_memory=(mpirun -np 2 --bind-to none)

build_step
reduce=$(reduce_rate)
"${over_memory[@]}" "${run[@]}" --timeline "$work/trace" | tail -1 >"$work/json"
/usr/bin/python3 "$here/profile.py" "$work/json" "$work/trace" 212480 "$reduce" >"$work/node"

# real WORDS... : median seconds of a step.
real() {
    "$@" | tail -1 | sed 's/.*"images_per_s": \([0-9.]*\).*/\1/' | awk -v images=$((2 * images)) '{ print images / $1 }'
}
# The bench's labels make most rows travel: all of them is an upper bound that a step hardly feels.
bytes=$((2 * images * 2048 * 4))

# point NETWORK METHOD MEASURED
point() {
    simulate 2 "$1" "$work/node" 1 "$bytes" "$2" |
        awk -F, -v network="$1" -v method="$2" -v real="$3" \
            '{ printf "%-8s %-9s real %.3f s, simulated %.3f s (%+.1f %%)\n", network, method, real, $2, 100 * ($2 / real - 1) }'
}
point native halving "$(real "${over_memory[@]}" "${run[@]}")"
point 1gbit halving "$(real "${over_link[@]}" "${run[@]}")"
point 1gbit binomial "$(real env OMPI_MCA_coll_libnbc_iallreduce_algorithm=binomial "${over_link[@]}" -x OMPI_MCA_coll_libnbc_iallreduce_algorithm "${run[@]}")"
point 1gbit bf16 "$(real "${over_link[@]}" "${run[@]}" --set comm.compress=bf16)"
