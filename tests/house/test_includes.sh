#!/usr/bin/env bash
# The house keeps its order: include directions, one source a public header, libraries only in their rooms. A planted violation of every kind
# has to be found, or the check itself is broken.
set -euo pipefail
. "$(dirname "$0")/../cli/lib.sh"

# Rooms and what they may include besides base and themselves.
declare -A may_use=(
    [base]="" [image]="" [job]="" [comm]="" [data]="image" [nn]="" [loss]="" [optim]="" [checkpoint]=""
    [eval]="job comm data nn loss optim checkpoint"
    [export]="data nn checkpoint eval"
    [train]="job comm data nn loss optim checkpoint eval export"
    [report]="job comm data nn loss optim checkpoint"
    [tools]="image job comm data nn loss optim checkpoint train eval export report"
)

# Library headers (regular expression) and the rooms that know them.
libraries=(
    '^mpi\.h$|[Bb]lacs:comm'
    '^(hdf5|hdf5_hl|H5[A-Za-z]*)\.h$:data checkpoint eval report'
    '^archive(_entry)?\.h$:data'
    '^(turbojpeg|jpeglib|png|zlib|iconv)\.h$:data'
    '^oneapi/|^dnnl:nn'
    '^cblas\.h$|^lapacke?\.h$:nn loss eval'
    '^ini\.h$:job'
    '^yajl/:data eval export report'
    '^openssl/:data checkpoint'
)

# Public headers without a source: inline, or mere declarations.
header_only=" bf16 kernels option tensor split reduce "

# includes FILE: the names in its #include lines, with their quote or bracket.
includes() {
    sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*(["<][^">]+)[">].*/\1/p' "$1"
}

# room_of_header NOUN: where elmpi/NOUN.h is implemented; prints a complaint and fails unless there is exactly one place.
room_of_header() {
    local noun=$1 sources
    if [[ $header_only == *" $noun "* ]]; then
        echo base
        return
    fi
    sources=(src/*/"$noun.c")
    if [ ! -e "${sources[0]}" ]; then
        echo "include/elmpi/$noun.h: no src/<room>/$noun.c implements it"
        return 1
    fi
    if [ ${#sources[@]} -ne 1 ]; then
        echo "include/elmpi/$noun.h: implemented twice (${sources[*]})"
        return 1
    fi
    basename "$(dirname "${sources[0]}")"
}

# check_library FILE ROOM HEADER
check_library() {
    local row
    for row in "${libraries[@]}"; do
        if [[ $3 =~ ${row%:*} ]] && [[ " ${row##*:} " != *" $2 "* ]]; then
            echo "$1: includes <$3>, which belongs to src/{${row##*:}}"
        fi
    done
}

# check_own FILE ROOM HEADER: an include in quotes.
check_own() {
    local file=$1 room=$2 header=$3 other
    case $header in
    elmpi/*)
        other=${header#elmpi/}
        other=${header_room[${other%.h}]:-}
        [ -n "$other" ] || return 0 # complained about already, or the compiler will
        ;;
    */*)
        other=${header%%/*}
        if [ "$other" != "$room" ] && [ "$other" != image ]; then # image has no public header yet
            echo "$file: includes the private header \"$header\" of another room"
            return
        fi
        ;;
    *)
        [ "$room" = tools ] || echo "$file: includes \"$header\" without its room (write \"$room/...\")"
        return
        ;;
    esac
    if [ "$other" != base ] && [ "$other" != "$room" ] && [[ " ${may_use[$room]} " != *" $other "* ]]; then
        echo "$file: $room must not include $other (\"$header\")"
    fi
}

# check_file FILE ROOM
check_file() {
    local include
    if [ -z "${may_use[$2]+known}" ]; then
        echo "$1: room $2 is not in the house (tests/house/test_includes.sh lists the rooms)"
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

# room_of FILE: by its folder, or, of a public header, by its source.
room_of() {
    local name=${1##*/}
    case $1 in
    src/*/*)
        name=${1#src/}
        echo "${name%%/*}"
        ;;
    include/*) echo "${header_room[${name%.h}]:-}" ;;
    *) echo tools ;;
    esac
}

# check_house FOLDER [FILE]: prints one line a violation, of all files or of that one and the public headers' places.
check_house() (
    cd "$1"
    declare -A header_room=()
    local file noun room
    for file in include/elmpi/*.h; do
        noun=$(basename "$file" .h)
        if room=$(room_of_header "$noun"); then
            header_room[$noun]=$room
        else
            echo "$room"
        fi
    done
    while read -r file; do
        room=$(room_of "$file")
        [ -z "$room" ] || check_file "$file" "$room"
    done < <(if [ $# -gt 1 ]; then echo "$2"; else find src/*/ include tools -name '*.[ch]'; fi)
)

# planted WHAT FILE LINE: in a copy of the house the line, put into the file, is found.
planted() {
    local copy="$scratch/house"
    rm -rf "$copy"
    mkdir "$copy"
    cp -r "$ELMPI_SOURCE"/{src,include,tools} "$copy"
    printf '%s\n' "$3" >>"$copy/$2"
    check_house "$copy" "$2" >"$scratch/found"
    [ -s "$scratch/found" ] || fail "a planted violation is not found: $1"
}

check_house "$ELMPI_SOURCE" >"$scratch/without"
if [ -s "$scratch/without" ]; then
    cat "$scratch/without" >&2
    fail "$(wc -l <"$scratch/without") violations of the house's order"
fi
planted "a sibling's header" src/data/planted.c '#include "elmpi/net.h"'
planted "a room above" include/elmpi/loss.h '#include "elmpi/evaluation.h"'
planted "train from eval" src/eval/planted.c '#  include "elmpi/run.h"'
planted "MPI outside comm" src/train/planted.c '#include <mpi.h>'
planted "BLACS outside comm" src/eval/planted.c 'void f(void) { Cblacs_exit(1); }'
planted "HDF5 outside data and checkpoint" src/nn/planted.c '#include <hdf5.h>'
planted "libarchive outside data" src/checkpoint/planted.c '#include <archive.h>'
planted "a private header of another room" src/train/planted.c '#include "nn/layer.h"'
planted "a header without its room" src/nn/planted.c '#include "layer.h"'
planted "a public header without a source" include/elmpi/planted.h '#include <stdint.h>'
planted "two sources of one public header" src/data/metrics.c ''
echo "the house is in order: $(find "$ELMPI_SOURCE"/{src,include,tools} -name '*.[ch]' | wc -l) files"
