#!/usr/bin/env bash
# The source layout: include directions between modules, one source a public header, libraries only in the modules that own them.
# A planted violation of every kind has to be found, or the check itself is wrong.
set -euo pipefail
. "$(dirname "$0")/../cli/lib.sh"

# Modules, bottom to top, and what they may include besides base and themselves (tools/make-diagrams.sh draws this table).
declare -A may_include=(
    [base]=""
    [job]=""
    [comm]=""
    [hdf5]=""
    [image]=""
    [store]="hdf5"
    [prepare]="hdf5 image store"
    [data]="image store"
    [nn]=""
    [loss]=""
    [optim]=""
    [checkpoint]="comm hdf5"
    [linalg]="comm"
    [eval]="comm store data nn loss linalg checkpoint"
    [analysis]="comm hdf5 data nn loss linalg eval"
    [export]="store nn checkpoint"
    [predict]="comm hdf5 image prepare nn checkpoint"
    [train]="job comm store data nn loss optim checkpoint eval"
    [report]="job hdf5"
    [tools]="job comm hdf5 image store prepare data nn loss optim checkpoint linalg eval analysis export predict train report"
)

# Library headers (regular expression) and the modules that know them.
libraries=(
    '^mpi\.h$|[Bb]lacs:comm'
    '^(hdf5|hdf5_hl|H5[A-Za-z]*)\.h$:hdf5 store checkpoint report analysis'
    '^archive(_entry)?\.h$:prepare'
    '^(turbojpeg|jpeglib|png)\.h$:image'
    '^zlib\.h$:hdf5 image prepare'
    '^iconv\.h$:prepare'
    '^oneapi/|^dnnl:nn'
    '^cblas\.h$|^lapacke?\.h$:nn loss'
    '^ini\.h$:job'
    '^yajl/:prepare eval checkpoint export predict report'
    '^openssl/:store prepare checkpoint'
)

# Public headers without a source: inline, or mere declarations.
header_only=" option partition reduce "

# includes FILE: the names in its #include lines, with their quote or bracket.
includes() {
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]+)[">].*/\1/p' "$1"
}

# module_of_header NOUN: where elmpi/NOUN.h is implemented; prints a complaint and fails unless there is exactly one place.
module_of_header() {
    local noun=$1 sources
    if [[ $header_only == *" $noun "* ]]; then
        echo base
        return
    fi
    mapfile -t sources < <(find src -name "$noun.c")
    if [ ${#sources[@]} -eq 0 ]; then
        echo "include/elmpi/$noun.h: no src/<module>/$noun.c implements it"
        return 1
    fi
    if [ ${#sources[@]} -ne 1 ]; then
        echo "include/elmpi/$noun.h: implemented twice (${sources[*]})"
        return 1
    fi
    cut -d/ -f2 <<<"${sources[0]}"
}

# check_library FILE MODULE HEADER
check_library() {
    local row
    for row in "${libraries[@]}"; do
        if [[ $3 =~ ${row%:*} ]] && [[ " ${row##*:} " != *" $2 "* ]]; then
            echo "$1: includes <$3>, which belongs to src/{${row##*:}}"
        fi
    done
}

# check_own FILE MODULE HEADER: an include in quotes.
check_own() {
    local file=$1 module=$2 header=$3 other
    case $header in
    elmpi/*)
        other=${header#elmpi/}
        other=${header_module[${other%.h}]:-}
        [ -n "$other" ] || return 0 # complained about already, or the compiler will
        ;;
    */*)
        other=${header%%/*}
        if [[ $file == include/* ]]; then
            echo "$file: a public header includes the private \"$header\""
            return
        fi
        ;;
    *)
        [ "$module" = tools ] || echo "$file: includes \"$header\" without its module (write \"$module/...\")"
        return
        ;;
    esac
    if [ "$other" != base ] && [ "$other" != "$module" ] && [[ " ${may_include[$module]} " != *" $other "* ]]; then
        echo "$file: $module must not include $other (\"$header\")"
    fi
}

# check_file FILE MODULE
check_file() {
    local include
    if [ -z "${may_include[$2]+known}" ]; then
        echo "$1: module $2 is unknown (tests/layout/test_includes.sh lists the modules)"
        return
    fi
    while read -r include; do
        case $include in
        '"'*) check_own "$1" "$2" "${include#?}" ;;
        esac
        check_library "$1" "$2" "${include#?}"
    done < <(includes "$1")
    # Debian has no header for BLACS: its users declare the functions themselves.
    if [ "$2" != comm ] && grep -qE '\<(Cblacs_|blacs_|MPI_)[A-Za-z_]+ *\(' "$1"; then
        echo "$1: calls MPI or BLACS, which belong to src/comm"
    fi
}

# module_of FILE: by its folder, or, of a public header, by its source.
module_of() {
    local name=${1##*/}
    case $1 in
    src/*/*) cut -d/ -f2 <<<"$1" ;;
    include/*) echo "${header_module[${name%.h}]:-}" ;;
    *) echo tools ;;
    esac
}

# check_folders: no folder of sources with more than 25 files.
check_folders() {
    find src -name '*.[ch]' -printf '%h\n' | sort | uniq -c | awk '$1 > 25 { print $2 ": " $1 " files, more than 25: divide it" }'
}

# check_layout FOLDER [FILE]: prints one line a violation, of all files or of that one and the public headers' places.
check_layout() (
    cd "$1"
    declare -A header_module=()
    local file noun module
    for file in include/elmpi/*.h; do
        noun=$(basename "$file" .h)
        if module=$(module_of_header "$noun"); then
            header_module[$noun]=$module
        else
            echo "$module"
        fi
    done
    check_folders
    while read -r file; do
        module=$(module_of "$file")
        [ -z "$module" ] || check_file "$file" "$module"
    done < <(if [ $# -gt 1 ]; then echo "$2"; else find src/*/ include tools -name '*.[ch]'; fi)
)

# planted WHAT FILE LINE: in a copy of the source the line, put into the file, is found.
planted() {
    local copy="$scratch/copy"
    rm -rf "$copy"
    mkdir "$copy"
    cp -r "$ELMPI_SOURCE"/{src,include,tools} "$copy"
    printf '%s\n' "$3" >>"$copy/$2"
    check_layout "$copy" "$2" >"$scratch/found"
    [ -s "$scratch/found" ] || fail "a planted violation is not found: $1"
}

check_layout "$ELMPI_SOURCE" >"$scratch/without"
if [ -s "$scratch/without" ]; then
    cat "$scratch/without" >&2
    fail "$(wc -l <"$scratch/without") violations of the source layout"
fi
planted "a sibling's header" src/data/planted.c '#include "elmpi/net.h"'
planted "a module above" include/elmpi/loss.h '#include "elmpi/evaluation.h"'
planted "train from eval" src/eval/planted.c '#  include "elmpi/run.h"'
planted "MPI outside comm" src/train/planted.c '#include <mpi.h>'
planted "BLACS outside comm" src/linalg/planted.c 'void f(void) { Cblacs_exit(1); }'
planted "HDF5 outside its modules" src/nn/planted.c '#include <hdf5.h>'
planted "libarchive outside prepare" src/checkpoint/planted.c '#include <archive.h>'
planted "a private header of a module above" src/nn/planted.c '#include "train/run/run.h"'
planted "a private header in a public one" include/elmpi/net.h '#include "base/rng.h"'
planted "a header without its module" src/nn/planted.c '#include "layer.h"'
planted "a public header without a source" include/elmpi/planted.h '#include <stdint.h>'
planted "two sources of one public header" src/data/metrics.c ''
echo "include directions hold: $(find "$ELMPI_SOURCE"/{src,include,tools} -name '*.[ch]' | wc -l) files"
