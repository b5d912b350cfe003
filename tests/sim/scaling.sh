#!/usr/bin/env bash
# How elmpi's training step scales beyond the machines at hand: ResNet-50 on iNaturalist 2018 (8,142 classes) on 1 to 1,024 simulated nodes.
# What a node computes is measured here (elmpi-bench), which messages leave when too; how long messages take is simulated (SimGrid).
set -euo pipefail
here=$(dirname "$0")
bin=${ELMPI_BIN:-$here/../../build/bin}
# shellcheck source=tests/sim/cluster.sh
. "$here/cluster.sh"

usage() {
    cat <<'TEXT'
usage: tests/sim/scaling.sh STORE OUT [SPEED]

STORE   an index with iNaturalist 2018's classes (elmpi-prepare inat2018, or build/tests/write_index COUNTS STORE): says which embeddings travel
OUT     OUT.csv and OUT.svg are written
SPEED   a simulated node computes so many times faster than this machine (default 32)

A quarter of an hour on a quiet machine with two cores. ELMPI_BIN: the folder of elmpi-bench.
TEXT
}

case ${1:-} in
-h | --help)
    usage
    exit 0
    ;;
esac
if [ $# -lt 2 ]; then
    usage >&2
    exit 2
fi
store=$1 out=$2 speed=${3:-32}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build_step
reduce=$(reduce_rate)
state_bytes=212480 # 2 x 26,560 running statistics

# measure IMAGES: the node's profile for so many images a step, $work/node-IMAGES. More than 16 take so many times longer.
measure() {
    local images=$1 factor=1
    if [ "$images" -gt 16 ]; then
        factor=$((images / 16)) images=16
    fi
    if [ ! -f "$work/$images.json" ]; then
        echo "measuring $images images a step" >&2
        "$bin/elmpi-bench" --model resnet50 --classes 8142 --batch "$images" --steps 8 --set loss.embed=pull --set model.bn=rank \
            --timeline "$work/$images.trace" --json | tail -1 >"$work/$images.json"
    fi
    /usr/bin/python3 "$here/profile.py" "$work/$images.json" "$work/$images.trace" "$state_bytes" "$reduce" "$factor" >"$work/node-$1"
}

# gathered NODES BATCH: bytes of embeddings that a node receives.
gathered() {
    "$bin/elmpi-bench" --model resnet50 --coverage "$store" --batch "$2" |
        awk -v nodes="$1" '$1 == nodes && $2 == "|" { print $(NF - 1) * 1048576; found = 1 } END { exit !found }'
}

# curve SCALING NETWORK METHOD PULL SPEED: a line of the table for each number of nodes.
curve() {
    local nodes images batch bytes
    for nodes in 1 4 16 64 256 1024; do
        images=32
        [ "$1" = weak ] || images=$((1024 / nodes))
        batch=$((nodes * images)) bytes=0
        if [ "$4" = global ] && [ "$nodes" -gt 1 ]; then
            [ -f "$work/gather-$nodes-$batch" ] || gathered "$nodes" "$batch" >"$work/gather-$nodes-$batch"
            bytes=$(<"$work/gather-$nodes-$batch")
        fi
        echo "$1,$2,$3,$4,$5,$images,$bytes,$(simulate "$nodes" "$2" "$work/node-$images" "$5" "$bytes" "$3")"
    done | awk -F, -v OFS=, 'NR == 1 { one = $9 / $6 } { print $0, one / ($9 / $6) }' # images a second and node, against one node
}

for images in 16 32 1024 256 64 4 1; do
    measure "$images"
done
{
    echo "scaling,network,method,pull,speed,images,gather_bytes,nodes,step,compute,gather,allreduce,update,efficiency"
    for network in 10gbit 25gbit 100gbit; do
        curve weak "$network" halving global "$speed"
        curve weak "$network" bf16 global "$speed"
        curve weak "$network" halving rank "$speed"
        curve weak "$network" binomial global "$speed"
        curve strong "$network" halving global "$speed"
        curve strong "$network" bf16 global "$speed"
    done
    curve weak 10gbit halving global 1
} | tee "$out.csv"
gnuplot -e "csv='$out.csv'; svg='$out.svg'; speed='$speed'" "$here/scaling.gp"
