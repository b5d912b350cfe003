# Helpers of the shell tests (cli, fault, layout). A test starts with
#   set -euo pipefail
#   . "$(dirname "$0")/../cli/lib.sh"
# and gets a scratch folder that goes away with it. ctest sets ELMPI_BIN and ELMPI_SOURCE; by hand they default to the dev build.
# shellcheck shell=bash

ELMPI_SOURCE=${ELMPI_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}
ELMPI_BIN=${ELMPI_BIN:-$ELMPI_SOURCE/build-dev/bin}
# shellcheck source=tools/environment.sh
. "$ELMPI_SOURCE/tools/environment.sh"
choose_mpirun "$ELMPI_BIN"

# What auto stands for must not depend on how busy the machine is; the tests of measuring itself switch it on.
export ELMPI_MEASURE=off

scratch=$(mktemp -d "${TMPDIR:-/tmp}/elmpi-test.XXXXXX")
limit=1200 # seconds a command may take before it counts as hung: ten times what the slowest takes on a slow machine
trap 'rm -rf "$scratch"' EXIT

# fail MESSAGE...: the test has failed; shows what the last command said.
fail() {
    echo "FAILED: $*" >&2
    local stream
    for stream in stdout stderr; do
        [ -s "$scratch/$stream" ] || continue
        echo "--- $stream of the last command" >&2
        tail -n 40 "$scratch/$stream" >&2
    done
    exit 1
}

# skip MESSAGE...: the test cannot run here.
skip() {
    echo "SKIPPED: $*"
    exit 77
}

# need PATH WHAT: skips the test where a file or folder is absent.
need() {
    [ -e "$1" ] || skip "$2 is not there ($1)"
}

# sanitized: the programs under test are a sanitizer's build.
sanitized() {
    [ "$(readelf -Ws "$ELMPI_BIN/elmpi-train" | grep -c __asan_init)" -gt 0 ] # not grep -q: readelf would die of its closed pipe
}

# expect CODE COMMAND...: runs it under the time limit and checks its exit code. Its output is in $scratch/stdout and $scratch/stderr.
expect() {
    local wanted=$1 code=0
    shift
    timeout --kill-after=10 "$limit" "$@" >"$scratch/stdout" 2>"$scratch/stderr" </dev/null || code=$?
    if [ "$code" -eq 124 ] || [ "$code" -eq 137 ] && [ "$wanted" -ne "$code" ]; then
        fail "no end after $limit s, or killed (exit code $code): $*"
    fi
    [ "$code" -eq "$wanted" ] || fail "exit code $code, expected $wanted: $*"
}

# expect_mpi CODE RANKS COMMAND...: the same under mpirun.
expect_mpi() {
    local wanted=$1 ranks=$2
    shift 2
    expect "$wanted" "${mpirun[@]}" -np "$ranks" "$@"
}

# expect_ranks CODE COMMAND... : COMMAND...: the same, each rank with its own command. (mpirun takes such lists itself, but Open MPI 5.0.7's dies of
# them, and flags for one rank's folder or variables differ: use `env`.)
expect_ranks() {
    local wanted=$1 ranks=0 word words=(exec)
    shift
    for word in "$@" :; do
        if [ "$word" = : ]; then
            printf '%q ' "${words[@]}" >"$scratch/command-$ranks"
            ranks=$((ranks + 1))
            words=(exec)
        else
            words+=("$word")
        fi
    done
    # shellcheck disable=SC2016 # for the rank's shell
    expect_mpi "$wanted" "$ranks" bash -c '. "$1-${OMPI_COMM_WORLD_RANK:-${PMI_RANK:?}}"' rank "$scratch/command"
}

# says stdout|stderr PATTERN: the last command said it (extended regular expression).
says() {
    grep -Eq -- "$2" "$scratch/$1" || fail "$1 does not say \"$2\""
}

# says_not stdout|stderr PATTERN: the last command did not say it.
says_not() {
    if grep -Eq -- "$2" "$scratch/$1"; then
        fail "$1 says \"$2\""
    fi
}

# same FILE FILE: equal to the byte.
same() {
    cmp -s "$1" "$2" || fail "files differ: $1 $2"
}

# absent PATH...: nothing was left there.
absent() {
    local path
    for path in "$@"; do
        [ ! -e "$path" ] || fail "left behind: $path"
    done
}

# wait_for_checkpoint FOLDER: until a run has written one there.
wait_for_checkpoint() {
    local tries=0
    until compgen -G "$1/checkpoint-*.h5" >/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 6000 ] || fail "no checkpoint in $1 after 600 s"
        sleep 0.1
    done
}
