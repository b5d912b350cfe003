#!/usr/bin/env bash
# Holds the simulation to two real points: ResNet-50 on 2 ranks, one thread each, over memory and over a link of 1 Gbit/s between two network
# namespaces (root, iproute2). What the ranks compute and when buckets are full comes from the run over memory; the rest is predicted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${ELMPI_BIN:-$here/../../build/bin}" && pwd)
# shellcheck source=tests/sim/cluster.sh
. "$here/cluster.sh"
# shellcheck source=tools/environment.sh
. "$here/../../tools/environment.sh"
if [ "$(id -u)" -ne 0 ] || ! command -v tc >/dev/null; then
    echo "real_points.sh: error: network namespaces need root and tc: run it as root, with iproute2" >&2
    exit 1
fi
work=$(mktemp -d)
spaces=(elmsim0 elmsim1)
cleanup() {
    for space in "${spaces[@]}"; do ip netns del "$space" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

# Two hosts with a cable between them; mpirun reaches the second through a stand-in for ssh.
for space in "${spaces[@]}"; do ip netns add "$space"; done
ip link add e0 netns elmsim0 type veth peer name e0 netns elmsim1
for n in 0 1; do
    ip -n "elmsim$n" link set lo up
    ip -n "elmsim$n" addr add "10.99.0.$((n + 1))/24" dev e0
    ip -n "elmsim$n" link set e0 up
    tc -n "elmsim$n" qdisc replace dev e0 root tbf rate 1gbit burst 256k latency 50ms
done
printf 'elmsim0 slots=1\nelmsim1 slots=1\n' >"$work/hosts.mpi"
cat >"$work/agent" <<'AGENT'
#!/usr/bin/env bash
# agent HOST COMMAND...: as ssh, into a namespace of that name.
host=$1
shift
exec ip netns exec "$host" bash -c "$*"
AGENT
chmod +x "$work/agent"

images=${1:-4} # a rank
run=("$bin/elmpi-bench" --model resnet50 --classes 8142 --batch $((2 * images)) --steps 6 --threads 1 --set loss.embed=pull --set model.bn=rank --json)
over_memory=(mpirun -np 2 --bind-to none)
over_link=(ip netns exec elmsim0 mpirun --hostfile "$work/hosts.mpi" -np 2 --map-by node --bind-to none --mca plm rsh
    --mca plm_rsh_agent "$work/agent" --mca oob_tcp_if_include e0 --mca btl_tcp_if_include e0 --mca btl 'self,tcp' --mca pml ob1)

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
