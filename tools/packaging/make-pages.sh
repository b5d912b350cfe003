#!/usr/bin/env bash
# Man pages and bash completions of the programs, made from what they print with --help:
#   make-pages.sh BIN OUT VERSION DOCS SHARE PROGRAM...
# writes OUT/man1/PROGRAM.1 and OUT/completions/PROGRAM; DOCS is where the documents will be installed, SHARE the way from the programs to the
# jobs' folder.
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/../environment.sh"
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -lt 6 ]; then
    echo "make-pages.sh: error: too few arguments: make-pages.sh BIN OUT VERSION DOCS SHARE PROGRAM..." >&2
    exit 2
fi
bin=$1 out=$2 version=$3 docs=$4 share=$5
shift 5
# The day of the release, or of the source's last change: the same input, the same page.
day=$(date --utc --date="@${SOURCE_DATE_EPOCH:-$(git -C "$elmpi_root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$elmpi_root/CMakeLists.txt")}" +%Y-%m-%d)
# A program alone on a machine where nothing but this is built: no network, no remote shell.
export OMPI_MCA_plm_rsh_agent=/bin/false OMPI_MCA_btl=self,vader HWLOC_HIDE_ERRORS=2
mkdir -p "$out/man1" "$out/completions"

for program in "$@"; do
    help=$("$bin/$program" --help) || {
        echo "make-pages.sh: error: $bin/$program --help fails: see above" >&2
        exit 1
    }
    awk -v form=man -v version="$version" -v date="$day" -v docs="$docs" -v others="$*" -f "$here/help.awk" <<<"$help" >"$out/man1/$program.1"
    {
        echo "# bash completion of $program, made from its --help by tools/packaging/make-pages.sh"
        awk -v form=completion -v ident="${program//-/_}" -f "$here/help.awk" <<<"$help"
        sed -e "s/@IDENT@/${program//-/_}/g" -e "s/@PROGRAM@/$program/g" -e "s|@SHARE@|$share|g" "$here/completion.in"
    } >"$out/completions/$program"
done
