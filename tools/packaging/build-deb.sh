#!/usr/bin/env bash
# A Debian package of this tree:  tools/packaging/build-deb.sh [--build-dep] [FOLDER]
# leaves elmpi_VERSION_ARCH.deb in FOLDER (default: the working folder) and lets lintian judge it where it is installed. --build-dep installs first, as
# root, what debian/control says that building needs. The tree itself stays as it is: a copy is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=tools/environment.sh
. "$root/tools/environment.sh"
install=no
if [ "${1:-}" = --build-dep ]; then
    install=yes
    shift
fi
if [ $# -gt 1 ] || [[ ${1:-} == -* ]]; then
    echo "build-deb.sh: error: wrong arguments: build-deb.sh [--build-dep] [FOLDER]" >&2
    exit 2
fi
mkdir -p "${1:-.}"
out=$(cd "${1:-.}" && pwd)

# project_version: of CMakeLists.txt.
project_version() {
    sed -n 's/^project(elmpi VERSION \([0-9.]*\).*/\1/p' "$root/CMakeLists.txt"
}

# copy_tree FOLDER: the files of the project, as they are now.
copy_tree() {
    mkdir -p "$1"
    if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
        (cd "$root" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
            [ ! -e "$file" ] || printf '%s\0' "$file"
        done | tar --create --null --files-from=-) | tar --extract --directory="$1"
    else
        tar --create --directory="$root" --exclude='./build*' --exclude=./runs --exclude=./data . | tar --extract --directory="$1"
    fi
}

write_changelog() {
    local day=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/CMakeLists.txt")}
    printf 'elmpi (%s) unstable; urgency=medium\n\n  * Built from the source by tools/packaging/build-deb.sh.\n\n -- %s  %s\n' "$1" \
        "$(sed -n 's/^Maintainer: //p' "$here/debian/control")" "$(date --utc --date="@$day" -R)"
}

version=$(project_version)
commit=$(git -C "$root" describe --always --abbrev=12 --dirty --match='v[0-9]*' 2>/dev/null || true)
# A state between releases sorts after the release that it follows.
package_version=$version
if [ -n "$commit" ] && [ "$commit" != "v$version" ]; then
    package_version=$version+git$(git -C "$root" log -1 --format=%cd --date=format:%Y%m%d).${commit//[^A-Za-z0-9]/.}
fi
stage=$(mktemp -d "${TMPDIR:-/tmp}/elmpi-deb.XXXXXX")
trap 'rm -rf "$stage"' EXIT
tree=$stage/elmpi-$version
copy_tree "$tree"
cp -r "$here/debian" "$tree/"
[ -z "$commit" ] || echo "$commit" >"$tree/cmake/commit.txt"
write_changelog "$package_version" >"$tree/debian/changelog"

cd "$tree"
if [ "$install" = yes ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get build-dep -y --no-install-recommends "$tree"
fi
step "dpkg-buildpackage ($package_version)"
dpkg-buildpackage -b -us -uc
if readelf -d debian/elmpi/usr/bin/* | grep -E 'R(UN)?PATH'; then
    echo "build-deb.sh: error: a program names a folder of libraries (above): ELMPI_RPATH=OFF has not kept it out" >&2
    exit 1
fi
cp "$stage"/*elmpi*_"${package_version}"_*.deb "$out/" # also libelmpi0 and libelmpi-dev
if command -v lintian >/dev/null; then
    step lintian
    lintian --allow-root --info --fail-on error "$stage"/elmpi_*.changes
fi
ls -l "$out"/*elmpi*_"${package_version}"_*.deb
