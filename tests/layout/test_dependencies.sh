#!/usr/bin/env bash
# Libraries that are too old, too new, of another kind or missing: each is a message at configure time that names what was found, what is lost
# and what to do. The libraries are stand-ins: headers with other numbers, and shared libraries that load what others would.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
limit=1200 # a configuration takes 5 s

# configure CODE OPTION...: in one build folder, so that what does not change is looked for once.
configure() {
    local wanted=$1
    shift
    expect "$wanted" cmake -S "$ELMPI_SOURCE" -B "$scratch/build" -DELMPI_TESTS=OFF "$@"
    # As one line: CMake wraps what it says.
    cat "$scratch/stdout" "$scratch/stderr" | tr -s ' \n' ' ' >"$scratch/said"
}

# told PATTERN
told() {
    grep -Eq -- "$1" "$scratch/said" || fail "the configuration does not say \"$1\""
}

# onednn NUMBERS [RUNTIME]: the folder of such a oneDNN.
onednn() {
    local folder=$scratch/onednn-$1-${2:-OMP} numbers
    mkdir -p "$folder/oneapi/dnnl"
    IFS=. read -ra numbers <<<"$1"
    : >"$folder/oneapi/dnnl/dnnl.h"
    printf '#define DNNL_VERSION_MAJOR %s\n#define DNNL_VERSION_MINOR %s\n#define DNNL_VERSION_PATCH %s\n' "${numbers[@]}" >"$folder/oneapi/dnnl/dnnl_version.h"
    printf '#define DNNL_CPU_THREADING_RUNTIME DNNL_RUNTIME_%s\n' "${2:-OMP}" >"$folder/oneapi/dnnl/dnnl_config.h"
    echo "$folder"
}

# library NAME [SONAME-OF-WHAT-IT-LOADS]: a shared library.
library() {
    local path=$scratch/lib$1.so loads=()
    if [ $# -gt 1 ]; then
        echo 'int loaded(void) { return 0; }' | cc -shared -fPIC -x c - -Wl,-soname,"$2" -o "$scratch/$2"
        loads=("-Wl,--no-as-needed" "$scratch/$2")
    fi
    echo 'int here(void) { return 0; }' | cc -shared -fPIC -x c - -x none "${loads[@]}" -o "$path"
    echo "$path"
}

echo "as it is here"
configure 0
told 'elmpi [0-9.]+.* CPU .* compiler .* MPI .*\(MPI [0-9.]+\).* HDF5 +[0-9.]+ .* oneDNN .* OpenBLAS +[0-9.]+ .* ScaLAPACK '
grep -q '^HDF5 ' "$scratch/build/configuration.txt" || fail "no configuration.txt for scripts"
fake=$(library dnnl)

echo "oneDNN"
for version in 2.6.0 2.7.5 3.0.0 3.7.2 3.99.1; do
    configure 0 -DONEDNN_INCLUDE_DIR="$(onednn $version)" -DONEDNN_LIBRARY="$fake"
    told "oneDNN +$version "
done
for version in 1.96.0 2.5.4; do
    configure 1 -DONEDNN_INCLUDE_DIR="$(onednn $version)" -DONEDNN_LIBRARY="$fake"
    told "oneDNN $version is too old: elmpi works with 2.6 to 3.x \(found in .*/onednn-$version.*Install oneDNN 2.6 to 3.x .*-DELMPI_ONEDNN=OFF .*several times slower"
done
configure 1 -DONEDNN_INCLUDE_DIR="$(onednn 4.0.0)" -DONEDNN_LIBRARY="$fake"
told 'oneDNN 4.0.0 is too new: elmpi works with 2.6 to 3.x'
mkdir -p "$scratch/nameless/oneapi/dnnl"
: >"$scratch/nameless/oneapi/dnnl/dnnl.h"
configure 1 -DONEDNN_INCLUDE_DIR="$scratch/nameless" -DONEDNN_LIBRARY="$fake"
told 'does not say its version \(.*/nameless/oneapi/dnnl/dnnl_version.h\)'
configure 0 -DONEDNN_INCLUDE_DIR="$(onednn 3.1.0 TBB)" -DONEDNN_LIBRARY="$fake"
told 'oneDNN 3.1.0 .* was built for TBB instead of OpenMP: .*slower'
other=$(library dnnl-iomp libiomp5.so)
configure 0 -DONEDNN_INCLUDE_DIR="$(onednn 3.1.0)" -DONEDNN_LIBRARY="$other"
told 'oneDNN \(.*libdnnl-iomp.so\) was built with another OpenMP than elmpi: it loads libiomp5.so'
configure 0 -DONEDNN_LIBRARY:FILEPATH=
told 'oneDNN not found. Without oneDNN convolutions run on OpenBLAS, several times slower. Debian: apt-get install libdnnl-dev; .*-DELMPI_ONEDNN=OFF'
configure 0 -DELMPI_ONEDNN=OFF
told 'oneDNN +none: convolutions run on OpenBLAS, several times slower'

echo "ScaLAPACK"
configure 0 -DSCALAPACK_LIBRARY="$(library scalapack-strange libmpich.so.99)"
told 'ScaLAPACK \(.*strange.so\) is built for another MPI: it loads libmpich.so.99, and elmpi uses .*It is not used: elmpi-evaluate is built without --classifier lda'
told 'ScaLAPACK +none: no --classifier lda'
configure 0 -DELMPI_SCALAPACK=OFF
told 'ScaLAPACK +none'

echo "OpenBLAS"
configure 0 -DOPENBLAS_LIBRARY="$(library openblas-threads libpthread.so.0)"
told 'OpenBLAS .*openblas-threads.so\) was built without OpenMP: .*slower.*libopenblas-openmp-dev'

# For MPI and HDF5 CMake's own modules are asked first, so what they found is replaced behind them.
echo "MPI and HDF5"
cat >"$scratch/hook.cmake" <<'CMAKE'
macro(find_package name)
  _find_package(${name} ${ARGN})
  if("${name}" STREQUAL "MPI" AND FAKE_MPI)
    set(MPI_C_VERSION ${FAKE_MPI})
  elseif("${name}" STREQUAL "MPI" AND FAKE_NO_MPI)
    set(MPI_C_FOUND FALSE)
  elseif("${name}" STREQUAL "HDF5" AND FAKE_HDF5)
    set(HDF5_VERSION ${FAKE_HDF5})
  elseif("${name}" STREQUAL "HDF5" AND FAKE_PARALLEL)
    set(HDF5_IS_PARALLEL TRUE)
    set(HDF5_C_LIBRARIES ${FAKE_PARALLEL})
  endif()
endmacro()
CMAKE
hook=(-DCMAKE_PROJECT_INCLUDE="$scratch/hook.cmake")
configure 1 "${hook[@]}" -DFAKE_MPI=3.0
told 'elmpi needs MPI 3.1 or newer; found: .*, which is MPI 3.0 .*Use Open MPI 4.1 or newer or MPICH'
configure 1 "${hook[@]}" -UFAKE_MPI -DFAKE_NO_MPI=ON
told 'elmpi needs an MPI library .*apt-get install libopenmpi-dev openmpi-bin, or libmpich-dev mpich'
configure 1 "${hook[@]}" -UFAKE_NO_MPI -DFAKE_HDF5=1.8.21
told 'elmpi needs HDF5 1.10 or newer; found: HDF5 1.8.21 .*-DHDF5_ROOT='
configure 0 "${hook[@]}" -DFAKE_HDF5=2.0.0
told 'HDF5 2.0.0 is newer than any that elmpi was tested with \(1.10 to 1.14\): run tools/test.sh'
configure 1 "${hook[@]}" -UFAKE_HDF5 -DFAKE_PARALLEL="$(library hdf5-parallel libmpi.so.99)"
told 'is a parallel build for another MPI: it loads libmpi.so.99, and elmpi uses .*serial HDF5 only.*libhdf5-dev'

echo "an MPI that was asked for and is not there"
ELMPI_MPI=lam expect 1 cmake -S "$ELMPI_SOURCE" -B "$scratch/lam" -DELMPI_TESTS=OFF
tr -s ' \n' ' ' <"$scratch/stderr" >"$scratch/said"
told 'ELMPI_MPI=lam was asked for, and no mpicc.lam works here'
