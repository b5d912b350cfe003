# Two hosts with a cable between them, as network namespaces of this machine (root, iproute2). Sourced; sets $hosts (names) and $over_link (mpirun).
# shellcheck shell=bash

# hosts_up NAME FOLDER: hosts NAME0 and NAME1; mpirun reaches the second through a stand-in for ssh. Scratch files go into FOLDER.
hosts_up() {
    local name=$1 folder=$2 n
    if [ "$(id -u)" -ne 0 ] || ! command -v tc >/dev/null; then
        echo "network namespaces need root and tc: run it as root, with iproute2" >&2
        return 1
    fi
    hosts=("${name}0" "${name}1")
    hosts_down
    for n in 0 1; do ip netns add "${hosts[n]}"; done
    ip link add e0 netns "${hosts[0]}" type veth peer name e0 netns "${hosts[1]}"
    for n in 0 1; do
        ip -n "${hosts[n]}" link set lo up
        ip -n "${hosts[n]}" addr add "10.99.0.$((n + 1))/24" dev e0
        ip -n "${hosts[n]}" link set e0 up
    done
    printf '%s slots=2\n' "${hosts[@]}" >"$folder/hosts.mpi"
    cat >"$folder/agent" <<'AGENT'
#!/usr/bin/env bash
# agent HOST COMMAND...: as ssh, into a namespace of that name.
host=$1
shift
exec ip netns exec "$host" unshare --uts bash -c "hostname $host; $*"
AGENT
    chmod +x "$folder/agent"
    # shellcheck disable=SC2034 # used by those who source this
    over_link=(ip netns exec "${hosts[0]}" mpirun --hostfile "$folder/hosts.mpi" --map-by node --bind-to none --mca plm rsh --mca plm_rsh_agent "$folder/agent"
        --mca oob_tcp_if_include e0 --mca btl_tcp_if_include e0 --mca btl 'self,tcp' --mca pml ob1)
}

# link_rate RATE: such as 1gbit.
link_rate() {
    local host
    for host in "${hosts[@]}"; do tc -n "$host" qdisc replace dev e0 root tbf rate "$1" burst 256k latency 50ms; done
}

link_cut() { ip -n "${hosts[1]}" link set e0 down; }
link_heal() { ip -n "${hosts[1]}" link set e0 up; }

hosts_down() {
    local host
    for host in "${hosts[@]}"; do ip netns del "$host" 2>/dev/null || true; done
}
