#!/usr/bin/env bash
# libelmpi as an installed package: every public header stands on its own, and the example is built by pkg-config and by CMake against nothing
# but what is installed, trains on two ranks and reads its checkpoint.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
build=$ELMPI_BIN/..
prefix=$scratch/prefix
[ -f "$build/cmake_install.cmake" ] || skip "the programs are not in a build folder ($build)"
grep -q '^ELMPI_LIBRARY:BOOL=ON' "$build/CMakeCache.txt" || skip "this build has no libelmpi"
if grep -q '^ELMPI_SANITIZE:BOOL=ON' "$build/CMakeCache.txt"; then
    skip "a sanitizer's build has no libelmpi"
fi
export OMP_NUM_THREADS=1
if [ -f "$build/install_manifest.txt" ]; then
    cp "$build/install_manifest.txt" "$scratch/manifest"
    trap 'cp "$scratch/manifest" "$build/install_manifest.txt"; rm -rf "$scratch"' EXIT
fi
expect 0 cmake --install "$build" --prefix "$prefix"
package=$(find "$prefix" -name elmpi.pc)
[ -n "$package" ] || fail "no elmpi.pc is installed"
library=$(dirname "$(dirname "$package")")
export PKG_CONFIG_PATH=${package%/*} LD_LIBRARY_PATH=$library${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
read -r -a flags < <(pkg-config --cflags --libs elmpi)

echo "headers"
for header in "$prefix"/include/elmpi/*.h; do
    printf '#include <elmpi/%s>\n#include <elmpi/%s>\nint main(void) { return 0; }\n' "${header##*/}" "${header##*/}" >alone.c
    expect 0 cc -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -Wno-pedantic "${flags[0]}" -fsyntax-only alone.c
done

# run PROGRAM NAME: trains on two ranks.
run() {
    mkdir "$scratch/$2"
    expect_mpi 0 2 "$1" "$scratch/$2"
    says stdout '^step [0-9]+: [0-9]+ tensors of [0-9]+ numbers, 2 classes$'
    [ -s "$scratch/$2/run/evaluation.json" ] || fail "$2: no evaluation"
}

echo "pkg-config"
expect 0 cc -std=gnu17 -Wall -Wextra -Werror "$ELMPI_SOURCE/tests/library/example.c" -o "$scratch/example" "${flags[@]}"
run "$scratch/example" by-pkg-config

echo "CMake"
mkdir "$scratch/outside"
cp "$ELMPI_SOURCE/tests/library/example.c" "$scratch/outside"
cat >"$scratch/outside/CMakeLists.txt" <<'TEXT'
cmake_minimum_required(VERSION 3.25)
project(outside C)
find_package(elmpi 0.1 REQUIRED)
add_executable(example example.c)
target_link_libraries(example PRIVATE elmpi::elmpi)
TEXT
expect 0 cmake -S "$scratch/outside" -B "$scratch/outside/build" -DCMAKE_PREFIX_PATH="$prefix"
expect 0 cmake --build "$scratch/outside/build"
run "$scratch/outside/build/example" by-cmake

# Private functions are not part of it.
if nm -D --defined-only "$library/libelmpi.so" | awk '{ print $3 }' | grep -v '^elm_'; then
    fail "libelmpi shows names that are not elmpi's"
fi
echo "libelmpi serves programs outside the tree"
