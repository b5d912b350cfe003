#!/usr/bin/env bash
# Everything a change has to pass: format, scripts, build without warnings, tests, clang-tidy.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'TEXT'
usage: tools/check.sh [--fast]

Format (clang-format), shell scripts (shellcheck), build with warnings as errors and tests (tools/test.sh), clang-tidy.

  --fast   format, scripts and clang-tidy only
TEXT
}

fast=false
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    --fast) fast=true ;;
    *)
        echo "check.sh: error: unknown option ($word): see tools/check.sh --help" >&2
        exit 2
        ;;
    esac
done

cd "$elmpi_root"
step "packages"
tools/packages.sh build report test check
echo "ready"

step "format"
# Golden tables are written by their generators.
if ! find src include tools tests \( -name '*.c' -o -name '*.h' \) ! -path 'tests/golden/*' -print0 |
    xargs -0 clang-format --dry-run -Werror; then
    echo "check.sh: error: not formatted (above): clang-format -i does it" >&2
    exit 1
fi
echo "formatted"

step "scripts"
mapfile -t scripts < <(find tools tests slurm .ci -type f \( -name '*.sh' -o -path '.ci/run' \) 2>/dev/null)
shellcheck --external-sources --source-path=SCRIPTDIR --source-path=. "${scripts[@]}"
echo "${#scripts[@]} scripts"

if ! $fast; then
    tools/test.sh
fi

step "clang-tidy"
cmake --preset dev --log-level=WARNING
mapfile -t sources < <(find src tools -name '*.c')
# One file a process: clang-tidy 14 sees va_list wrongly from the second file on.
if ! printf '%s\0' "${sources[@]}" |
    xargs -0 -n 1 -P "$elmpi_cores" clang-tidy --quiet --warnings-as-errors='*' -p build-dev >build-dev/tidy.txt 2>&1; then
    # Findings in system headers are suppressed; clang-tidy counts them all the same.
    grep -v -E '^[0-9]+ (warnings?|errors?) .*(generated|treated)' build-dev/tidy.txt >&2
    echo "check.sh: error: clang-tidy has findings (above): mend them" >&2
    exit 1
fi
echo "${#sources[@]} files without a finding"

step "passed"
