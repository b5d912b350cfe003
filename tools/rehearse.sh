#!/usr/bin/env bash
# Builds elmpi and runs its tests on another Debian release, MPI or processor, in a root of its own on this machine.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'TEXT'
usage: tools/rehearse.sh [--release NAME] [--mpi NAME] [--arch NAME] [--tests LABELS] [--root FOLDER]

Makes a Debian root by debootstrap, copies this source into it, installs what tools/packages.sh names, builds with warnings as
errors and runs the tests. Needs root permission, the network and about 4 GB; the root is removed at the end. Exit code 0: all
passed, 1: something failed, 77: such a root cannot be made here.

  --release NAME    Debian release (default: trixie on Debian 12, else bookworm)
  --mpi NAME        openmpi (default) or mpich
  --arch NAME       processor, such as arm64; another one than this machine's is emulated by qemu: an hour or more, without
                    optimization
  --tests LABELS    kinds of tests, as ctest -L takes them (default: unit|mpi)
  --root FOLDER     keeps the root there and takes it as it is the next time
TEXT
}

release='' mpi=openmpi arch=$(dpkg --print-architecture 2>/dev/null || echo unknown) labels='unit|mpi' kept=''
host=$arch
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --release | --mpi | --arch | --tests | --root)
        if [ $# -lt 2 ]; then
            echo "rehearse.sh: error: missing value ($1): see tools/rehearse.sh --help" >&2
            exit 2
        fi
        case $1 in
        --release) release=$2 ;;
        --mpi) mpi=$2 ;;
        --arch) arch=$2 ;;
        --tests) labels=$2 ;;
        --root) kept=$2 ;;
        esac
        shift
        ;;
    *)
        echo "rehearse.sh: error: unknown option ($1): see tools/rehearse.sh --help" >&2
        exit 2
        ;;
    esac
    shift
done
if [ -z "$release" ]; then
    release=bookworm
    if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ]; then
        release=trixie
    fi
fi

# give_up REASON: such a root cannot be made here.
give_up() {
    echo "SKIPPED: no $release root ($arch, $mpi): $*"
    add_totals 0 0 1
    print_totals
    exit 77
}

# mirror: where apt itself gets Debian's packages.
mirror() {
    local site
    site=$(apt-get indextargets --format "\$(REPO_URI)" 2>/dev/null | grep -E '/debian/?$' | head -n 1) || true
    echo "${site:-http://deb.debian.org/debian}"
}

# register_emulator: the kernel starts programs of the other processor by qemu; F: found even inside the root.
register_emulator() {
    local name=qemu-aarch64 folder=/proc/sys/fs/binfmt_misc
    [ "$arch" = arm64 ] || give_up "only arm64 can be emulated"
    [ -e "$folder/register" ] || mount -t binfmt_misc none "$folder" 2>/dev/null || give_up "no binfmt_misc in this kernel"
    [ ! -e "$folder/$name" ] || return 0
    local magic='\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":$name:M::$magic:$mask:/usr/bin/$name-static:OCF" >"$folder/register" || give_up "the kernel takes no emulator"
}

# make_root FOLDER
make_root() {
    debootstrap --arch="$arch" --foreign --variant=minbase "$release" "$1" "$(mirror)" || give_up "debootstrap failed: see above"
    chroot "$1" /debootstrap/debootstrap --second-stage || give_up "debootstrap failed in its second stage: see above"
    # How this machine reaches the mirror, proxies and all.
    apt-config dump | grep '^Acquire::' | grep -v '^Acquire::\(IndexTargets\|Changelogs\)' >"$1/etc/apt/apt.conf.d/99host"
}

# enter FOLDER COMMAND...: in the root. Its mounts are seen by nobody else and are gone with the command.
enter() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --propagation private bash -c 'root=$1; shift
        for folder in proc sys dev; do mount --rbind "/$folder" "$root/$folder"; done
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"' enter "$root" "$@"
}

step "root: $release, $arch, $mpi"
[ "$(id -u)" -eq 0 ] || give_up "only root can make one"
groups=(root)
[ "$arch" = "$host" ] || groups+=(emulation)
"$elmpi_root/tools/packages.sh" "${groups[@]}" || give_up "no debootstrap"
unshare --mount --propagation private true 2>/dev/null || give_up "this container forbids mounts"
[ "$arch" = "$host" ] || register_emulator
root=$kept
if [ -z "$root" ]; then
    root=$(mktemp -d "${TMPDIR:-/tmp}/elmpi-root.XXXXXX")
    # Nothing is mounted there for this shell; should something be all the same, it is left alone.
    trap 'rm -rf --one-file-system "$root"' EXIT
fi
mkdir -p "$root"
chmod 755 "$root"
[ -e "$root/etc/apt/apt.conf.d/99host" ] || make_root "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
enter "$root" apt-get -q update || give_up "its apt does not reach the mirror"

# What is there, committed or not, without what was built.
mkdir -p "$root/elmpi"
if git -C "$elmpi_root" rev-parse --git-dir >/dev/null 2>&1; then
    git -C "$elmpi_root" ls-files -z --cached --others --exclude-standard
else
    (cd "$elmpi_root" && find . -type f -not -path './build*' -print0)
fi | tar -C "$elmpi_root" --null --files-from=- --ignore-failed-read -cf - | tar -C "$root/elmpi" -xf -

options=()
if [ "$arch" != "$host" ]; then
    # An emulated compiler takes minutes to optimize what an emulated test saves by it. The CPU that "native" asks for is another one.
    options=(-DELMPI_MARCH= -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS_DEBUG=-O1)
fi
rm -f "$root/elmpi/build-dev/tests.xml"
failed=0
# shellcheck disable=SC2016 # for the inner shell
enter "$root" ELMPI_MPI="$mpi" DEBIAN_FRONTEND=noninteractive bash -c 'set -euo pipefail
    labels=$1
    shift
    cd /elmpi
    . tools/environment.sh
    tools/packages.sh build report test
    step "build"
    cmake --preset dev --log-level=WARNING "$@"
    cmake --build --preset dev -j "$elmpi_cores"
    step "test ($labels)"
    describe_machine build-dev
    ctest --test-dir build-dev --no-tests=error --output-on-failure --output-junit tests.xml -j "$elmpi_cores" -L "$labels"' \
    inside "$labels" "${options[@]}" || failed=1
if [ -s "$root/elmpi/build-dev/tests.xml" ]; then
    add_report "$root/elmpi/build-dev/tests.xml"
else
    add_totals 0 1 0 # it did not come to tests
fi
print_totals
exit "$failed"
