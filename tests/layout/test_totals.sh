#!/usr/bin/env bash
# Continuous integration closes with one line that counts the tests of all its parts: a part that cannot run here is skipped, one that fails or
# ends before it counted anything fails the whole. The parts are stand-ins.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
unset ELMPI_TOTALS # .ci/run itself may run this test

mkdir -p "$scratch/tree/.ci" "$scratch/tree/tools"
cp "$ELMPI_SOURCE/.ci/run" "$scratch/tree/.ci/run"
cp "$ELMPI_SOURCE/tools/environment.sh" "$scratch/tree/tools/environment.sh"

# part SCRIPT CODE [PASSED FAILED SKIPPED]
part() {
    {
        # shellcheck disable=SC2016 # for the part itself
        printf '#!/usr/bin/env bash\n. "$(dirname "$0")/environment.sh"\n'
        [ $# -eq 2 ] || echo "add_totals $3 $4 $5"
        echo print_totals
        echo "exit $2"
    } >"$scratch/tree/tools/$1.sh"
    chmod +x "$scratch/tree/tools/$1.sh"
}

# closes CODE LINE
closes() {
    expect "$1" bash "$scratch/tree/.ci/run"
    [ "$(tail -n 1 "$scratch/stdout")" = "$2" ] || fail "the last line is not \"$2\""
    [ "$(grep -Ec '^[0-9]+ passed, [0-9]+ failed' "$scratch/stdout")" -eq 1 ] || fail "more than one line of totals"
}

part test 0 30 0 2
part rehearse 0 12 0 0
closes 0 "42 passed, 0 failed, 2 skipped"
part rehearse 77 0 0 1
closes 0 "30 passed, 0 failed, 3 skipped"
part rehearse 1 11 1 0
closes 1 "41 passed, 1 failed, 2 skipped"
part rehearse 1
closes 1 "30 passed, 1 failed, 2 skipped"
part rehearse 0 12 0 0
part test 2
closes 1 "12 passed, 1 failed, 0 skipped"

echo "one script alone closes with its own"
part test 0 30 0 2
expect 0 "$scratch/tree/tools/test.sh"
[ "$(tail -n 1 "$scratch/stdout")" = "30 passed, 0 failed, 2 skipped" ] || fail "the script does not close with its totals"

echo "the counts of ctest's report"
printf '<?xml version="1.0" encoding="UTF-8"?>\n<testsuite name="Linux-c++"\n\ttests="108"\n\tfailures="2"\n\tdisabled="1"\n\tskipped="4"\n>\n' >"$scratch/tests.xml"
# shellcheck disable=SC2016 # for the inner shell
expect 0 bash -c '. "$1"; add_report "$2"; print_totals' count "$ELMPI_SOURCE/tools/environment.sh" "$scratch/tests.xml"
[ "$(tail -n 1 "$scratch/stdout")" = "101 passed, 2 failed, 5 skipped" ] || fail "a report is counted wrongly"

echo "where no root can be made"
expect 2 "$ELMPI_SOURCE/tools/rehearse.sh" --no-such-option
if [ "$(id -u)" -eq 0 ] && setpriv --reuid=65534 --regid=65534 --clear-groups test -r "$ELMPI_SOURCE/tools/rehearse.sh" 2>/dev/null; then
    cd /
    expect 77 setpriv --reuid=65534 --regid=65534 --clear-groups bash "$ELMPI_SOURCE/tools/rehearse.sh"
    says stdout 'SKIPPED: .*only root can make one'
    [ "$(tail -n 1 "$scratch/stdout")" = "0 passed, 0 failed, 1 skipped" ] || fail "what cannot run is not counted as skipped"
fi
