#!/usr/bin/env bash
# The peak meter against libraries, by ratios within one process: nothing beats it, and a large product of OpenBLAS comes near it. Training
# steps in fp32 and bf16 stay below the meter too.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

need /usr/bin/python3 "Python, which reads the JSON"
export OMP_NUM_THREADS=1
# OpenBLAS takes CPUs that are younger than itself for very old ones: it is told.
case $("$ELMPI_BIN/elmpi-train" --version) in
*"has avx512-bf16" | *"has avx512") core=SkylakeX ;;
*"has avx2") core=Haswell ;;
*) core= ;;
esac
[ -z "$core" ] || export OPENBLAS_CORETYPE=$core

expect 0 "$ELMPI_BIN/../tests/peak_gemm"
read -r peak product <"$scratch/stdout"
echo "meter $peak GFLOP/s, OpenBLAS $product (${core:-its own choice})"
awk -v p="$peak" -v g="$product" 'BEGIN { exit !(g <= 1.05 * p) }' || fail "OpenBLAS beats the meter"
awk -v p="$peak" -v g="$product" 'BEGIN { exit !(g >= 0.5 * p) }' || fail "the meter reads more than this CPU has, or OpenBLAS has no kernels for it"

for precision in fp32 bf16; do
    if ! "$ELMPI_BIN/elmpi-bench" --model cifar-resnet20 --batch 64 --steps 10 --precision "$precision" --json >"$scratch/bench" 2>"$scratch/stderr"; then
        [ "$precision" = bf16 ] && grep -q "does not multiply bf16" "$scratch/stderr" && echo "no bf16 here" && continue
        fail "elmpi-bench in $precision: $(cat "$scratch/stderr")"
    fi
    expect 0 "$ELMPI_BIN/elmpi-bench" --peak --json
    /usr/bin/python3 - "$scratch/bench" "$scratch/stdout" <<'PYTHON' || fail "a step beats the meter, or reads more than 100 %"
import json, re, sys
text = open(sys.argv[1]).read()
step, peak = json.loads(text.splitlines()[-1]), json.loads(open(sys.argv[2]).read())
meter = max(peak["fma_peak_gflops"], peak["bf16_peak_gflops"] if step["precision"] == "bf16" else 0)
print(f'{step["precision"]}: {step["gflops"]} GFLOP/s of {meter}')
assert step["gflops"] <= 1.05 * meter, "a step beats the meter"
assert all(int(share) <= 100 for share in re.findall(r"= *(\d+)%", text)), "a share above 100 %"
PYTHON
done
