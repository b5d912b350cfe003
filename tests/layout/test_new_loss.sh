#!/usr/bin/env bash
# CONTRIBUTING.md's worked example: its text becomes a file, a line in the table and a line in the build, in a copy of the tree; then it is in the
# help, in docs/methods.md and under the gradient test, and trains on two ranks. So it does with an option of its own, and as the table's last row.
# shellcheck disable=SC2016 # the backquotes are Markdown's
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

tree=$scratch/tree
mkdir "$tree"
cp -r "$ELMPI_SOURCE"/{CMakeLists.txt,cmake,docs,include,src,tools,tests,jobs,README.md,CONTRIBUTING.md,CHANGELOG.md} "$tree"
cd "$tree"

# The block of C that begins with the comment "square: ...".
awk '/^```/ { inside = $0 == "```c"; next } inside' CONTRIBUTING.md >src/loss/logit/square.c
grep -q '^/\* square:' src/loss/logit/square.c || fail "CONTRIBUTING.md has no example of a loss"
# The two lines, as CONTRIBUTING.md writes them.
table_line=$(sed -nE 's/.*`(ROW\(square\) \\)`.*/\1/p' CONTRIBUTING.md)
build_line=$(sed -nE 's|.*in the list of sources, `(logit/square\.c)`.*|\1|p' CONTRIBUTING.md)
if [ -z "$table_line" ] || [ -z "$build_line" ]; then
    fail "CONTRIBUTING.md does not name the two lines"
fi
last=$(sed -n '/^#define LOGIT_LOSSES/,/^$/p' src/loss/table.c | grep 'ROW(' | tail -n 1 | sed 's/ *\\$//; s/^ *//')
sed -i "/^ *$last/a\\    ${table_line/\\/\\\\}" src/loss/table.c
sed -i "s|^  SOURCES loss.c|& $build_line|" src/loss/CMakeLists.txt
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
sed -i 's/weight \* share \* error)/weight * share * error * 2)/' src/loss/logit/square.c
expect 0 cmake --build build -j2 --target test_loss
if build/tests/test_loss >"$scratch/wrong" 2>&1; then
    fail "a wrong gradient of a new loss passes the tests"
fi
grep -q square "$scratch/wrong" || fail "the test that fails does not name the loss"
sed -i 's/weight \* share \* error \* 2)/weight * share * error)/' src/loss/logit/square.c

# An option of its own, which does nothing at its default: the test tries another value too, and sees a wrong sign there.
sed -i 's/double lda_ridge, lda_window;/&\n    double square_lean;/' include/elmpi/loss.h
sed -i 's/^    {0},$/    {"loss.square.lean", ELM_OPTION_REAL, AT(square_lean), "0", 0, 10, NULL, NULL, "loss.logit=square", "added to every logit'"'"'s slope"},\n&/' src/loss/options.c
sed -i -e 's/(void)state;/const double lean = *(const double *)state;/' \
    -e 's|share \* error \* error / 2;|share * (error * error / 2 + lean * (double)batch->logits[row + (size_t)c]);|' \
    -e 's/weight \* share \* error)/weight * share * (error + lean))/' \
    -e 's/^    \.evaluate = square_evaluate,/    .create = create,\n&\n    .destroy = elm_free,/' \
    -e 's|^static elm_loss_value square_evaluate|#include "elmpi/memory.h"\nstatic int create(void **state, const elm_loss_setup *setup, elm_error *err)\n{\n    double *lean = *state = elm_alloc(1, sizeof *lean, err);\n    if (lean)\n        *lean = setup->options->square_lean;\n    return lean ? 0 : -1;\n}\n\n&|' src/loss/logit/square.c
grep -q 'share \* (error + lean)' src/loss/logit/square.c || fail "the example has changed: $(cat src/loss/logit/square.c)"
expect 0 cmake --build build -j2 --target test_loss
expect 0 build/tests/test_loss
sed -i 's/share \* (error + lean))/share * (error - lean))/' src/loss/logit/square.c
expect 0 cmake --build build -j2 --target test_loss
if build/tests/test_loss >"$scratch/wrong" 2>&1; then
    fail "a wrong gradient of a new loss's option passes the tests"
fi
grep -q 'square.lean' "$scratch/wrong" || fail "the test that fails does not name the option"
