#!/usr/bin/env bash
# CPUs: ranks that compute for different instruction sets are refused, wrong choices and CPUs that are too old get a message, a run that goes
# on with other kernels says so.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

unset ELMPI_ISA ONEDNN_MAX_CPU_ISA OPENBLAS_CORETYPE
export OMP_NUM_THREADS=1
train=$ELMPI_BIN/elmpi-train
expect 0 "$train" --version
says stdout '^kernels for baseline'
best=$(sed -n 's/^kernels for .*; this CPU .* has //p' "$scratch/stdout")
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/moons.h5"
common=("$ELMPI_SOURCE/jobs/two-moons-elm.ini" --set "data.store=$scratch/moons.h5" --run-dir "$scratch/run" --max-steps 2)

echo "wrong choices"
expect 2 env ELMPI_ISA=sse9 "$train" "${common[@]}"
says stderr '^elmpi-train: error: unknown instruction set "sse9" \(ELMPI_ISA\): use baseline, avx2, avx512 or avx512-bf16$'
expect 2 env ELMPI_ISA=sse9 "$ELMPI_BIN/elmpi-prepare" two-moons --out "$scratch/other.h5"
says stderr 'unknown instruction set'
absent "$scratch/other.h5"
# On one rank of three only.
expect_ranks 2 "$train" "${common[@]}" : "$train" "${common[@]}" : env ELMPI_ISA=sse9 "$train" "${common[@]}"
says stderr 'unknown instruction set "sse9"'
absent "$scratch/run"

if [ "$best" != baseline ]; then
    echo "mixed ranks"
    # refused CODE PATTERN PROGRAM ARGUMENT...: rank 1 with the baseline's kernels.
    refused() {
        local pattern=$1
        shift
        expect_ranks 2 "$@" : env ELMPI_ISA=baseline "$@"
        says stderr "$pattern"
        [ "$(grep -c "error: ranks compute for 2 kinds of CPU" "$scratch/stderr")" -eq 1 ] || fail "not told once"
    }
    kinds="rank 0 on .*: kernels for $best, .*; rank 1 on .*: kernels for baseline, .*set ELMPI_ISA=baseline(, ONEDNN_MAX_CPU_ISA=[A-Z0-9_]+)? and OPENBLAS_CORETYPE=[A-Za-z0-9]+ for all ranks"
    refused "$kinds" "$train" "${common[@]}"
    absent "$scratch/run"
    refused "$kinds" "$ELMPI_BIN/elmpi-bench" --model mlp:16,2 --batch 8 --steps 1
    expect 0 "$train" "${common[@]}"
    refused "$kinds" "$ELMPI_BIN/elmpi-evaluate" "$scratch/run/checkpoint.h5" --quiet
    says_not stdout 'balanced'

    # Each of the three at its own common level.
    if [[ $best == avx512* ]]; then
        expect_ranks 2 "$train" "${common[@]}" --run-dir "$scratch/mixed" : env ONEDNN_MAX_CPU_ISA=AVX2 "$train" "${common[@]}" --run-dir "$scratch/mixed"
        if grep -q oneDNN "$scratch/stderr"; then
            says stderr "set ELMPI_ISA=$best, ONEDNN_MAX_CPU_ISA=AVX2 and OPENBLAS_CORETYPE="
        fi
        absent "$scratch/mixed"
    fi

    echo "the remedy, and another set at a resume"
    expect_mpi 0 2 env ELMPI_ISA=baseline "$train" "${common[@]}" --max-steps 3 --resume
    says stdout 'kernels for baseline'
    says stdout "Resuming on .*kernels for baseline.* what was computed on .*kernels for $best"
fi

# An older CPU, by emulation.
emulator=$(command -v qemu-x86_64-static || command -v qemu-x86_64 || true)
if [ -n "$emulator" ] && [ "$(uname -m)" = x86_64 ] && ! sanitized; then
    echo "a CPU below the build's"
    for program in elmpi-train elmpi-prepare elmpi-report; do
        expect 1 "$emulator" -cpu core2duo "$ELMPI_BIN/$program" --version
        says stderr "$program: error: this CPU lacks .*(SSE4.2|POPCNT).*, which this build of elmpi uses .*ELMPI_MARCH=native"
    done
else
    echo "no qemu-user: what an old CPU is told was not seen"
fi
echo "different CPUs are refused with the difference"
