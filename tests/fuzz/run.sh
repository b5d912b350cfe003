#!/usr/bin/env bash
# Fuzzes elmpi's readers of files from outside, one target after the other, and says what came of it.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/environment.sh
. "$here/../../tools/environment.sh"

usage() {
    cat <<'TEXT'
usage: tests/fuzz/run.sh [--keep] [SECONDS [TARGET...]]

Builds the libFuzzer programs (clang, AddressSanitizer, UndefinedBehaviorSanitizer) into build-fuzz/ and runs each target for so long
(60 s; 0: nothing is run, earlier runs are evaluated). Prints executions, coverage and findings, of this run and of all runs so far.

  --keep   afterwards brings the small inputs that reach something new into tests/fuzz/corpus/TARGET/

Targets: the names of tests/fuzz/target_*.c. Findings, inputs and logs go to $ELMPI_FUZZ_OUT/TARGET/ (default: build-fuzz/out). A finding
that is mended belongs into tests/fuzz/regressions/TARGET/, from where tools/test.sh reads it ever after. One process at a time runs.
TEXT
}

keep=false
words=()
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    --keep) keep=true ;;
    *) words+=("$word") ;;
    esac
done
seconds=${words[0]:-60}
if ! [[ $seconds =~ ^[0-9]+$ ]]; then
    echo "run.sh: error: not a number of seconds ($seconds): see tests/fuzz/run.sh --help" >&2
    exit 2
fi

cd "$elmpi_root"
out=${ELMPI_FUZZ_OUT:-build-fuzz/out}
known=()
for file in "$here"/target_*.c; do
    name=$(basename "$file" .c)
    known+=("${name#target_}")
done
targets=("${words[@]:1}")
if [ ${#targets[@]} -eq 0 ]; then
    targets=("${known[@]}")
fi
for target in "${targets[@]}"; do
    if [[ " ${known[*]} " != *" $target "* ]]; then
        echo "run.sh: error: no such target ($target): use ${known[*]}" >&2
        exit 2
    fi
done

# Frames of a stack that are not where something happened.
machinery=' in (malloc|calloc|realloc|free|p?read|p?write|(mem|str)[a-z]*) |asan|ubsan|libfuzzer|fuzzer::|interceptor|__sanitizer|libc\.so|libc_start|/bits/|sysdeps/|nptl/|stdlib/'
# An input that wants more memory than this, or more time, is a finding.
memory_mib=1536
slow_seconds=20
inputs_max_bytes=65536
kept_input_bytes=6144
kept_target_bytes=24576
kept_files=64

step "build"
tools/packages.sh build fuzz
cmake --preset fuzz --log-level=WARNING
cmake --build build-fuzz -j "${ELMPI_FUZZ_JOBS:-$elmpi_cores}" --target fuzz | tail -n 1

export ASAN_OPTIONS=allocator_may_return_null=1:handle_abort=1:symbolize=1
export UBSAN_OPTIONS=print_stacktrace=1
export OMP_NUM_THREADS=1
# Inputs become files: in memory, where there is a place for that.
TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/elmpi-fuzz.XXXXXX")
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT

# set_limits TARGET: what may be asked for in one piece, besides. HDF5 asks for as much as an object's header says, before it finds that the
# file is shorter, and touches nothing of it. elmpi zeroes what it takes, so that the other limit shows it.
set_limits() {
    local at_once_mib=256
    case $1 in
    store | checkpoint) at_once_mib=8192 ;;
    esac
    limits=(-timeout="$slow_seconds" -rss_limit_mb="$memory_mib" -malloc_limit_mb="$at_once_mib")
}

# fuzz TARGET: appends a line "seconds executions" to the target's history.
fuzz() {
    local target=$1 folder=$out/$1 begun=$SECONDS left executed=0 count
    local seeds=("$here/corpus/$target")
    if [ -d "$here/regressions/$target" ]; then
        seeds+=("$here/regressions/$target")
    fi
    : >"$folder/log.txt"
    # A finding ends the process; another one takes up the rest of the time.
    while left=$((seconds - SECONDS + begun)) && [ "$left" -gt 0 ]; do
        "build-fuzz/fuzz/fuzz_$target" "${limits[@]}" -print_final_stats=1 -max_total_time="$left" -max_len="$inputs_max_bytes" \
            -artifact_prefix="$folder/findings/" "$folder/inputs" "${seeds[@]}" >"$folder/last.txt" 2>&1 || true
        count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/last.txt")
        executed=$((executed + ${count:-0}))
        cat "$folder/last.txt" >>"$folder/log.txt"
        [ -n "$count" ] || sleep 1 # it could not even start: not in a tight loop
    done
    echo "$((SECONDS - begun)) $executed" >>"$folder/history.txt"
}

# explain TARGET: for each finding "owner<TAB>kind, place<TAB>file", the owner being elmpi or the library in which it happened.
explain() {
    local target=$1 file place owner
    for file in "$out/$target/findings"/*; do
        [ -f "$file" ] || continue
        ASAN_OPTIONS=$ASAN_OPTIONS:fast_unwind_on_malloc=0:fast_unwind_on_fatal=0 timeout $((3 * slow_seconds)) \
            "build-fuzz/fuzz/fuzz_$target" "${limits[@]}" "$file" >"$out/$target/last.txt" 2>&1 &&
            continue # mended since
        # The innermost frame that is no sanitizer's and not the C library's.
        place=$(grep -E '^ +#[0-9]+ ' "$out/$target/last.txt" |
            grep -vE "$machinery" | sed -n 1p || true)
        owner=elmpi
        case $place in
        *"/lib"*.so*) owner=$(sed -n 's/.*(\/[^ ]*\/\(lib[^.]*\)\.so.*/\1/p' <<<"$place") ;;
        esac
        if grep -q ' in hdf5_forge ' "$out/$target/last.txt"; then
            owner="$owner (while forging)" # the file was never read
        fi
        printf '%s\t%s: %s\t%s\n' "$owner" "$(sed -n 's/^SUMMARY: \([^:]*: [^ ]*\).*/\1/p' "$out/$target/last.txt" | head -n 1)" \
            "$(sed 's/^ *#[0-9]* 0x[0-9a-f]* *//; s/^in //' <<<"$place")" "$(basename "$file")"
    done
}

# keep_inputs TARGET: of the inputs that between them reach everything some of every size, as far as they fit.
keep_inputs() {
    local target=$1 merged every size total=0 file
    merged=$(mktemp -d)
    "build-fuzz/fuzz/fuzz_$target" -merge=1 -max_len="$kept_input_bytes" "$merged" "$here/corpus/$target" "$out/$target/inputs" \
        >"$out/$target/merge.txt" 2>&1 || true
    every=$(($(find "$merged" -type f | wc -l) / kept_files + 1))
    find "$here/corpus/$target" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
    while read -r size file; do
        total=$((total + size))
        [ "$total" -gt "$kept_target_bytes" ] || cp "$file" "$here/corpus/$target/"
    done < <(find "$merged" -type f -printf '%s %p\n' | sort -n | awk -v every="$every" 'NR % every == 0')
    rm -r "$merged"
}

for target in "${targets[@]}"; do
    step "fuzz $target ($seconds s)"
    set_limits "$target"
    mkdir -p "$out/$target/inputs" "$out/$target/findings"
    touch "$out/$target/history.txt" "$out/$target/log.txt"
    if [ "$seconds" -gt 0 ]; then
        fuzz "$target"
    fi
    explain "$target" >"$out/$target/findings.txt"
    cut -f 1,2 "$out/$target/findings.txt" | sort | uniq -c | sort -rn
    if $keep; then
        keep_inputs "$target"
    fi
done

step "result"
failed=0
printf '%-12s %14s %10s %9s %8s %10s %11s %9s\n' target executions seconds coverage inputs "elmpi's" "libraries'" "corpus"
for target in "${targets[@]}"; do
    folder=$out/$target
    read -r spent executed < <(awk '{ s += $1; e += $2 } END { print s + 0, e + 0 }' "$folder/history.txt")
    coverage=$(sed -n 's/^#[0-9]*.* cov: \([0-9]*\).*/\1/p' "$folder/log.txt" | tail -n 1)
    ours=$(awk -F '\t' '$1 == "elmpi" { print $2 }' "$folder/findings.txt" | sort -u | wc -l)
    theirs=$(awk -F '\t' '$1 != "elmpi" { print $2 }' "$folder/findings.txt" | sort -u | wc -l)
    inputs=$(find "$folder/inputs" -type f | wc -l)
    corpus=$(find "$here/corpus/$target" -type f -printf '%s\n' | awk '{ s += $1 } END { print int((s + 1023) / 1024) }')
    printf '%-12s %14s %10s %9s %8s %10s %11s %8sK\n' "$target" "$executed" "$spent" "${coverage:-?}" "$inputs" "$ours" "$theirs" "$corpus"
    [ "$ours" -eq 0 ] || failed=1
done
cat <<TEXT
Executions and seconds of all runs so far; coverage in edges of elmpi's own code; findings that stand, by place.
Files: $out/TARGET/findings
TEXT
exit "$failed"
