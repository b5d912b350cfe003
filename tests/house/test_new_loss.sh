#!/usr/bin/env bash
# The README's worked example: its text becomes a file, a line in the table and a line in the build, in a copy of the tree; then it is in the
# help, in docs/methods.md and under the gradient test, and trains on two ranks.
# shellcheck disable=SC2016 # the backquotes are Markdown's
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

tree=$scratch/tree
mkdir "$tree"
cp -r "$ELMPI_SOURCE"/{CMakeLists.txt,cmake,docs,include,src,tools,tests,jobs,README.md} "$tree"
cd "$tree"

# The block of C that begins with the comment "square: ...".
awk '/^```/ { inside = $0 == "```c"; next } inside' README.md >src/loss/square.c
grep -q '^/\* square:' src/loss/square.c || fail "the README has no example of a loss"
# The two lines, as the README writes them.
table_line=$(sed -nE 's/.*`(ROW\(square\) \\)`.*/\1/p' README.md)
build_line=$(sed -nE 's/.*in the list of sources, `(square\.c)`.*/\1/p' README.md)
if [ -z "$table_line" ] || [ -z "$build_line" ]; then
    fail "the README does not name the two lines"
fi
sed -i "/^#define LOGIT_LOSSES/a\\    ${table_line/\\/\\\\}" src/loss/table.c
sed -i "s/^elmpi_room(loss SOURCES /&$build_line /" src/loss/CMakeLists.txt
diff -rq "$ELMPI_SOURCE/src" src >"$scratch/changed" || true
[ "$(wc -l <"$scratch/changed")" -eq 3 ] || fail "a new loss touches more than three files: $(cat "$scratch/changed")"

expect 0 cmake -S . -B build -DCMAKE_BUILD_TYPE=Debug -DELMPI_WERROR=ON
expect 0 cmake --build build -j2 --target test_loss elmpi-train elmpi-methods
expect 0 build/tests/test_loss
expect 0 build/bin/elmpi-methods
says stdout '^### `square`'
expect 0 build/bin/elmpi-train --help
says stdout '^  square +squared error to the one-hot label'

expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out digits.h5
expect_mpi 0 2 build/bin/elmpi-train jobs/digits-elm.ini --set data.store=digits.h5 --set loss.logit=square --set optim.epochs=5 --set optim.lr=0.02 --run-dir run
awk -F, 'NR == 2 { first = $4 } END { exit !($4 < first) }' run/metrics.csv || fail "the loss does not fall: $(cat run/metrics.csv)"

# The gradient test sees a wrong one.
sed -i 's/weight \* share \* error)/weight * share * error * 2)/' src/loss/square.c
expect 0 cmake --build build -j2 --target test_loss
if build/tests/test_loss >"$scratch/wrong" 2>&1; then
    fail "a wrong gradient of a new loss passes the tests"
fi
grep -q square "$scratch/wrong" || fail "the test that fails does not name the loss"
