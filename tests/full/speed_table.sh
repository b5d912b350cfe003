#!/usr/bin/env bash
# The speed table of docs/performance.md: elmpi and PyTorch in turn, medians of the rounds. Not a test: it wants a quiet machine of 2 cores and about a
# quarter of an hour. tests/full/speed_table.sh [ROUNDS]
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/../../tools/environment.sh"
rounds=${1:-3}
bench=${ELMPI_BIN:-$elmpi_root/build/bin}/elmpi-bench
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT

# elmpi RANKS THREADS ARGUMENT..., torch RANKS THREADS ARGUMENT...: one line of JSON.
elmpi() {
    OMP_NUM_THREADS=$2 mpirun --bind-to none -np "$1" "$bench" --json "${@:3}" | tail -n 1
}
torch() {
    /usr/bin/python3 "$elmpi_root/tests/full/torch_step.py" --ranks "$1" --threads "$2" "${@:3}"
}

# median FILE EXPRESSION: over the file's lines of JSON, each called j.
median() {
    /usr/bin/python3 -c 'import json, statistics, sys; print(statistics.median(eval(sys.argv[2], {"j": json.loads(line)}) for line in open(sys.argv[1])))' "$1" "$2"
}

# measure NAME RANKS THREADS STEPS ARGUMENT...: both in turn.
measure() {
    local name=$1 ranks=$2 threads=$3 steps=$4 round
    shift 4
    for ((round = 0; round < rounds; round++)); do
        elmpi "$ranks" "$threads" --steps "$steps" "$@" >>"$notes/$name.elmpi"
        torch "$ranks" "$threads" --steps "$steps" "$@" >>"$notes/$name.torch"
    done
}

echo "| network, batch, precision | elmpi, images/s | share of the FMA peak | PyTorch, images/s | ratio | memory, MiB | PyTorch's |"
echo "|---|---|---|---|---|---|---|"
for row in "cifar-resnet32 128 fp32 1 2 8" "cifar-resnet32 128 bf16 1 2 8" "cifar-resnet32 128 fp32 2 1 8" "resnet50 16 fp32 1 2 4" "resnet50 16 bf16 1 2 4" "resnet50 32 fp32 1 2 2" "resnet50 32 bf16 1 2 2"; do
    read -r model batch precision ranks threads steps <<<"$row"
    name=$model-$batch-$precision-$ranks
    measure "$name" "$ranks" "$threads" "$steps" --model "$model" --batch "$batch" --precision "$precision"
    ours=$(median "$notes/$name.elmpi" 'j["images_per_s"]') theirs=$(median "$notes/$name.torch" 'j["images_per_s"]')
    share=$(median "$notes/$name.elmpi" 'j["peak_share"]')
    awk -v a="$ours" -v b="$theirs" -v s="$share" -v m="$(median "$notes/$name.elmpi" 'j["peak_rss_mib"]')" -v n="$(median "$notes/$name.torch" 'j["peak_rss_mib"]')" \
        -v what="$model, $batch, $precision, $ranks x $threads" 'BEGIN { printf "| %s | %.1f | %.1f%% | %.1f | %.2f | %.0f | %.0f |\n", what, a, 100 * s, b, a / b, m, n }'
done

echo
echo "| network, images a rank, bn = rank | 1 rank x 1 thread, images/s | 2 ranks x 1 thread | ratio | waiting for gradients | for embeddings |"
echo "|---|---|---|---|---|---|"
for row in "cifar-resnet32 64 8" "resnet50 8 4"; do
    read -r model images steps <<<"$row"
    for ((round = 0; round < rounds; round++)); do
        for ranks in 1 2; do
            elmpi "$ranks" 1 --steps "$steps" --model "$model" --batch $((ranks * images)) --set model.bn=rank --set loss.embed=pull >>"$notes/scaling-$model-$ranks"
        done
    done
    awk -v a="$(median "$notes/scaling-$model-1" 'j["images_per_s"]')" -v b="$(median "$notes/scaling-$model-2" 'j["images_per_s"]')" \
        -v g="$(median "$notes/scaling-$model-2" 'j["phases"]["allreduce"] / sum(j["phases"].values())')" \
        -v e="$(median "$notes/scaling-$model-2" 'j["phases"]["gather"] / sum(j["phases"].values())')" -v what="$model, $images" \
        'BEGIN { printf "| %s | %.1f | %.1f | %.2f | %.2f%% | %.2f%% |\n", what, a, b, b / a, 100 * g, 100 * e }'
done

echo
echo "| ranks x threads on $elmpi_cores cores | cifar-resnet32, batch 128, images/s | resnet50, batch 16, images/s |"
echo "|---|---|---|"
for shape in "1 1" "1 2" "2 1" "2 2"; do
    read -r ranks threads <<<"$shape"
    for model in "cifar-resnet32 128 8" "resnet50 16 3"; do
        read -r name batch steps <<<"$model"
        for ((round = 0; round < rounds; round++)); do
            elmpi "$ranks" "$threads" --steps "$steps" --model "$name" --batch "$batch" >>"$notes/shape-$name-$ranks-$threads"
        done
    done
    printf '| %s x %s | %.1f | %.2f |\n' "$ranks" "$threads" "$(median "$notes/shape-cifar-resnet32-$ranks-$threads" 'j["images_per_s"]')" \
        "$(median "$notes/shape-resnet50-$ranks-$threads" 'j["images_per_s"]')"
done

echo
for threads in 1 2; do
    printf 'with %s threads: ' "$threads"
    "$bench" --peak --threads "$threads"
done
