#!/usr/bin/env bash
# Installs the packages that elmpi needs on Debian 12, Debian 13 or Ubuntu, and only those that are missing: a second run needs no network.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: tools/packages.sh GROUP...

Installs missing packages through apt (as root, or with sudo). Where that is not possible it names them, with their
counterparts in Spack and EasyBuild, and exits 1.

  build       compiler, CMake, MPI and the libraries elmpi links
  report      what elmpi-report draws with
  test        what tools/test.sh needs besides
  full        what tools/test.sh --full needs besides
  check       what tools/check.sh needs besides
  fuzz        what tests/fuzz/run.sh needs besides
  root        what tools/rehearse.sh makes another distribution's root with
  emulation   what runs another processor's programs (tools/rehearse.sh --arch arm64)

ELMPI_MPI=mpich       MPICH instead of Open MPI
ELMPI_PACKAGES=skip   takes everything for granted (modules, Spack, another distribution)
TEXT
}

# group : Debian : Spack : EasyBuild. Debian 12 and 13 have them all under the same names.
table='
build : gcc                      : gcc                            : GCC
build : libc6-dev                : (part of the system)           : (part of the system)
build : make                     : gmake                          : make
build : cmake                    : cmake                          : CMake
build : pkg-config               : pkgconf                        : pkgconf
openmpi : libopenmpi-dev         : openmpi                        : OpenMPI
openmpi : openmpi-bin            : openmpi                        : OpenMPI
openmpi : libscalapack-openmpi-dev : netlib-scalapack             : ScaLAPACK
mpich : libmpich-dev             : mpich                          : MPICH
mpich : mpich                    : mpich                          : MPICH
mpich : libscalapack-mpich-dev   : netlib-scalapack               : ScaLAPACK
build : libopenblas-openmp-dev   : openblas threads=openmp        : OpenBLAS
build : libdnnl-dev              : onednn                         : oneDNN
build : libhdf5-dev              : hdf5                           : HDF5
build : libarchive-dev           : libarchive                     : libarchive
build : libjpeg-dev              : libjpeg-turbo                  : libjpeg-turbo
build : libpng-dev               : libpng                         : libpng
build : zlib1g-dev               : zlib                           : zlib
build : libinih-dev              : inih                           : inih
build : libyajl-dev              : yajl                           : yajl
build : libssl-dev               : openssl                        : OpenSSL
report : gnuplot-nox             : gnuplot                        : gnuplot
test  : libcmocka-dev            : cmocka                         : cmocka
test  : python3                  : python                         : Python
test  : python3-h5py             : py-h5py                        : h5py
test  : hdf5-tools               : hdf5                           : HDF5
test  : xz-utils                 : xz                             : XZ
full  : python3-torch            : py-torch                       : PyTorch
full  : python3-scipy            : py-scipy                       : SciPy-bundle
full  : python3-sklearn          : py-scikit-learn                : scikit-learn
full  : libsimgrid-dev           : simgrid                        : SimGrid
full  : chromium                 : (part of the site)             : (part of the site)
full  : valgrind                 : valgrind                       : Valgrind
full  : python3-pil              : py-pillow                      : Pillow
full  : python3-torchvision      : py-torchvision                 : torchvision
full  : python3-onnx             : py-onnx                        : ONNX
full  : python3-opencv           : opencv +python3                : OpenCV
full  : slurm-wlm                : slurm                          : (part of the site)
full  : munge                    : munge                          : (part of the site)
full  : iproute2                 : iproute2                       : (part of the system)
check : clang-format             : llvm +clang                    : Clang
check : clang-tidy               : llvm +clang                    : Clang
check : libomp-dev               : llvm +clang                    : Clang
check : shellcheck               : shellcheck                     : shellcheck
fuzz  : clang                    : llvm +clang                    : Clang
fuzz  : libclang-rt-dev          : llvm +clang                    : Clang
fuzz  : libomp-dev               : llvm +clang                    : Clang
root  : debootstrap              : (part of the system)           : (part of the system)
root  : debian-archive-keyring   : (part of the system)           : (part of the system)
emulation : qemu-user-static     : (part of the system)           : (part of the system)
'

mpi=${ELMPI_MPI:-openmpi}

# rows GROUP...: "debian:spack:easybuild" lines of the groups; the MPI asked for belongs to group build.
rows() {
    local group
    for group in "$@"; do
        [ "$group" != build ] || rows "$mpi"
        awk -F ' *: *' -v group="$group" '$1 == group { print $2 ":" $3 ":" $4 }' <<<"$table"
    done
}

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# missing GROUP...: Debian packages of the groups that dpkg does not have.
missing() {
    local debian rest
    rows "$@" | while IFS=: read -r debian rest; do
        installed "$debian" || echo "$debian"
    done
}

# name_packages PACKAGE...: what to ask an administrator for.
name_packages() {
    local wanted=" $* " debian spack easybuild
    {
        echo "  Debian/Ubuntu              Spack                      EasyBuild"
        rows build report test full check fuzz root emulation | while IFS=: read -r debian spack easybuild; do
            [[ $wanted != *" $debian "* ]] || printf '  %-26s %-26s %s\n' "$debian" "$spack" "$easybuild"
        done
        echo "Install them (as root: apt-get install $*), or load your cluster's modules and set ELMPI_PACKAGES=skip."
    } >&2
}

install_packages() {
    local root=()
    if [ "$(id -u)" -ne 0 ]; then
        # Asks for a password only where somebody can answer.
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
            root=(sudo)
        else
            return 1
        fi
    fi
    echo "installing: $*"
    "${root[@]}" apt-get -q update &&
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "$@"
}

groups=()
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    build | report | test | full | check | fuzz | root | emulation) groups+=("$word") ;;
    *)
        echo "packages.sh: error: unknown group ($word): use build, report, test, full, check, fuzz, root or emulation" >&2
        exit 2
        ;;
    esac
done
if [ ${#groups[@]} -eq 0 ]; then
    usage >&2
    exit 2
fi
case $mpi in
openmpi | mpich) ;;
*)
    echo "packages.sh: error: unknown MPI (ELMPI_MPI=$mpi): use openmpi or mpich" >&2
    exit 2
    ;;
esac
if [ "${ELMPI_PACKAGES:-}" = skip ]; then
    exit 0
fi

if ! command -v dpkg-query >/dev/null; then
    echo "packages.sh: error: this is not a Debian or Ubuntu system: these packages are needed" >&2
    mapfile -t all < <(rows "${groups[@]}" | cut -d: -f1)
    name_packages "${all[@]}"
    exit 1
fi
mapfile -t wanted < <(missing "${groups[@]}")
if [ ${#wanted[@]} -eq 0 ]; then
    exit 0
fi
if ! install_packages "${wanted[@]}"; then
    echo "packages.sh: error: these packages are missing and could not be installed here" >&2
    name_packages "${wanted[@]}"
    exit 1
fi
