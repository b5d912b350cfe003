#!/usr/bin/env bash
# Valgrind over a preparation, a training on two ranks and an evaluation: no access to memory that is not ours or that nobody wrote, no leak of
# ours. Valgrind knows neither AVX-512, of which it tells programs, nor oneDNN's generated code: a build of its own with OpenBLAS. A planted
# leak and a planted read of unwritten memory have to be found beside everything that is suppressed.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
command -v valgrind >/dev/null || skip "valgrind is not there"
cd "$ELMPI_SOURCE"
export OMP_NUM_THREADS=1 OPENBLAS_CORETYPE=Haswell
limit=18000
expect 0 cmake -S . -B build-valgrind -DCMAKE_BUILD_TYPE=RelWithDebInfo -DELMPI_ONEDNN=OFF --log-level=WARNING
expect 0 cmake --build build-valgrind -j "$elmpi_cores" --target elmpi-prepare elmpi-train elmpi-evaluate planted_leak
bin=build-valgrind/bin

suppressions=(--suppressions=tests/sanitizer/valgrind.supp)
for file in /usr/share/openmpi/openmpi-valgrind.supp "$(dirname "$(command -v mpirun)")/../share/openmpi/openmpi-valgrind.supp"; do
    [ ! -e "$file" ] || suppressions+=("--suppressions=$file")
done
watched=(valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30 --keep-debuginfo=yes "${suppressions[@]}")

expect 99 "${watched[@]}" build-valgrind/tests/planted_leak
says stderr "4,321 bytes in 1 blocks are definitely lost"
says stderr "(17,530 bytes in 2|8,765 bytes in 1) blocks are definitely lost"
says stderr "depends on uninitialised value"
says stderr "by .*: lose \(leak.c"

expect 0 "${watched[@]}" "$bin/elmpi-prepare" digits --out "$scratch/digits.h5"
train=("${watched[@]}" "$bin/elmpi-train" jobs/digits-elm.ini --set "data.store=$scratch/digits.h5" --run-dir "$scratch/run" --set model.name=cifar-resnet8
    --set run.precision=fp32 --set optim.batch=16 --set checkpoint.keep=1 --set run.stall_timeout=0)
expect_mpi 0 2 "${train[@]}" --max-steps 3
expect_mpi 0 2 "${train[@]}" --max-steps 5 --resume
expect_mpi 0 2 "${watched[@]}" "$bin/elmpi-evaluate" "$scratch/run/checkpoint.h5" --data "$scratch/digits.h5" --classifier ncm
expect_mpi 0 2 "${train[@]}" --set loss.scope=bank --run-dir "$scratch/bank" --max-steps 3
says_not stderr "^==[0-9]+==.*(Invalid|uninitialised|definitely)"
echo "preparation, training, resume, the class bank and evaluation are clean; the planted leak and read are found"
