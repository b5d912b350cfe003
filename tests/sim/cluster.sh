# shellcheck shell=bash
# For scaling.sh and real_points.sh: the simulated cluster.
# shellcheck disable=SC2154 # work, a folder, and bin, the programs', are theirs

# network: bits a second, latency in us, a processor's work for a message in us
networks='
1gbit    125MBps   50 5
10gbit   1.25GBps  10 5
25gbit   3.125GBps 5  5
100gbit  12.5GBps  2  1
native   4GBps     1  1
'

# build_step: compiles step.c as $work/step.
build_step() {
    command -v smpicc >/dev/null || {
        echo "$0: error: no smpicc: install libsimgrid-dev (tools/packages.sh full)" >&2
        exit 1
    }
    smpicc -O2 -std=gnu17 -Wall -Wextra -Werror -o "$work/step" "$(dirname "${BASH_SOURCE[0]}")/step.c"
}

# network_field NAME FIELD
network_field() {
    awk -v name="$1" -v field="$2" '$1 == name { print $field; found = 1 } END { exit !found }' <<<"$networks"
}

# write_platform NAME: 1,024 nodes on a fat tree that no traffic pattern overloads.
write_platform() {
    cat >"$work/$1.xml" <<XML
<?xml version="1.0"?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="nodes" prefix="node" suffix="" radical="0-1023" speed="1Gf" core="2" bw="$(network_field "$1" 2)" lat="$(network_field "$1" 3)us"
    topology="FAT_TREE" topo_parameters="2;32,32;1,32;1,1" loopback_bw="100GBps" loopback_lat="0"/>
</platform>
XML
}

# simulate NODES NETWORK PROFILE SPEED GATHER_BYTES METHOD: prints step's line.
simulate() {
    local node
    [ -f "$work/$2.xml" ] || write_platform "$2"
    for ((node = 0; node < $1; node++)); do
        printf 'node%d\nnode%d\n' "$node" "$node"
    done >"$work/hosts"
    { cat "$3" && echo "message $(network_field "$2" 4)e-6"; } >"$work/profile"
    smpirun -np $((2 * $1)) -platform "$work/$2.xml" -hostfile "$work/hosts" --cfg=smpi/simulate-computation:no --cfg=smpi/privatization:no \
        --cfg=smpi/coll-selector:ompi --log=root.thres:critical "$work/step" "$work/profile" "$4" "$5" "$6"
}

# reduce_rate: seconds that one thread takes to add a byte of what arrives: it reads two and writes one.
reduce_rate() {
    "$bin/elmpi-bench" --peak --json --threads 1 | tail -1 | sed 's/.*"memory_gbytes_per_s": \([0-9.]*\).*/\1/' | awk '{ print 3e-9 / $1 }'
}
