#!/usr/bin/env bash
# Installs what is missing, builds, runs every test. Exit code 0 only when all are green.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/environment.sh"

usage() {
    cat <<'TEXT'
usage: tools/test.sh [--full] [--no-sanitizer]

  --full           also the long tests (comparison with PyTorch, whole training runs)
  --no-sanitizer   leave out the AddressSanitizer/UndefinedBehaviorSanitizer build (tests of units and of ranks; --full: of programs and
                   faults too)

Builds into build-dev/ and build-asan/. The last line counts tests. tools/rehearse.sh runs them on another Debian release.
ELMPI_PACKAGES=skip installs nothing (see tools/packages.sh --help).
TEXT
}

full=false
sanitizer=true
for word in "$@"; do
    case $word in
    -h | --help)
        usage
        exit 0
        ;;
    --full) full=true ;;
    --no-sanitizer) sanitizer=false ;;
    *)
        echo "test.sh: error: unknown option ($word): see tools/test.sh --help" >&2
        exit 2
        ;;
    esac
done

cd "$elmpi_root"
started=$SECONDS
failed=0

# build PRESET CMAKE-OPTION...
build() {
    step "build ($1)"
    cmake --preset "$@" --log-level=WARNING
    cmake --build --preset "$1" -j "$elmpi_cores"
}

# run_tests PRESET CTEST-OPTION...: adds to the totals; the verdict comes at the end, so that one red test does not hide another.
run_tests() {
    local preset=$1 report=build-$1/tests.xml
    shift
    step "test ($preset)"
    describe_machine "build-$preset"
    rm -f "$report"
    ctest --test-dir "build-$preset" --no-tests=error --output-on-failure --output-junit tests.xml -j "$elmpi_cores" "$@" || failed=1
    if [ ! -s "$report" ]; then
        echo "test.sh: error: no test has run (build-$preset): see above" >&2
        exit 1
    fi
    add_report "$report"
}

groups=(build report test)
selection=(-LE full)
sanitized="unit|mpi"
if $full; then
    groups+=(full)
    selection=()
    sanitized="unit|mpi|cli|fault"
fi
step "packages"
tools/packages.sh "${groups[@]}"
echo "ready: ${groups[*]}"

build dev
run_tests dev "${selection[@]}"
if build-dev/bin/elmpi-train --version | grep -q 'has avx512'; then # else the tests above have run so
    step "as on a CPU with AVX2"
    ELMPI_ISA=avx2 ONEDNN_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell run_tests dev -L "unit|mpi"
fi
if $sanitizer; then
    # Warnings are judged in the dev build: gcc's are not reliable under sanitizers.
    build asan -DELMPI_WERROR=OFF
    run_tests asan -L "$sanitized"
fi

verdict=passed
if [ "$failed" -ne 0 ]; then
    verdict=FAILED
fi
step "$verdict after $((SECONDS - started)) s"
print_totals
exit "$failed"
