#!/usr/bin/env bash
# No two source files call each other, directly or by way of others: each can be read, tested and replaced alone.
set -euo pipefail
. "$(dirname "$0")/../cli/lib.sh"
build=$ELMPI_BIN/..
[ -d "$build/src" ] || skip "the programs are not in a build folder ($build)"
python=$(command -v /usr/bin/python3) || skip "python3 is not installed"
command -v nm >/dev/null || skip "nm (binutils) is not installed"
expect 0 "$python" "$ELMPI_SOURCE/tests/layout/circles.py" "$build" "$ELMPI_SOURCE"
says stdout '^[0-9]+ files, 0 of them in circles$'

# Two planted files that call each other are found.
mkdir -p "$scratch/build/src" "$scratch/source/src"
for n in $(seq 1 110); do
    printf 'int elm_planted_%d(void);\nint elm_planted_%d(void);\nint elm_planted_%d(void) { return elm_planted_%d(); }\n' "$n" $((n + 1)) "$n" $((n + 1)) >"$scratch/source/src/planted_$n.c"
done
(cd "$scratch/build/src" && cc -c "$scratch"/source/src/*.c && for object in *.o; do mv "$object" "${object%.o}.c.o"; done)
expect 0 "$python" "$ELMPI_SOURCE/tests/layout/circles.py" "$scratch/build" "$scratch/source"
printf 'int elm_planted_1(void);\nint elm_planted_111(void);\nint elm_planted_111(void) { return elm_planted_1(); }\n' >"$scratch/source/src/planted_111.c"
cc -c "$scratch/source/src/planted_111.c" -o "$scratch/build/src/planted_111.c.o"
expect 1 "$python" "$ELMPI_SOURCE/tests/layout/circles.py" "$scratch/build" "$scratch/source"
says stdout '^src/planted_111.c calls src/planted_1.c, which call it back$'
echo "no file calls back"
