#!/usr/bin/env bash
# Names that scripts and programs must take as they are: spaces, commas, "=", quotes, colons, a leading dash.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

export OMP_NUM_THREADS=1
tools=$ELMPI_SOURCE/tools
cd "$scratch"
expect 0 "$ELMPI_BIN/elmpi-prepare" digits --out "-d = x,y's.h5"
name="-a = b, c's:\$1"
cat >"$name.ini" <<INI
[run]
name = x
[data]
store = -d = x,y's.h5
[model]
name = mlp:8
[optim]
epochs = 1
batch = 200
INI
expect 0 "$ELMPI_BIN/elmpi-train" --run-dir "$name" -- "$name.ini"
expect 0 "$ELMPI_BIN/elmpi-evaluate" --json "=$name.json" --quiet -- "$name/checkpoint.h5"
[ -s "=$name.json" ] || fail "no evaluation under that name"
expect 0 "$ELMPI_BIN/elmpi-export" --to "$name.onnx" -- "$name/checkpoint.h5"
cp -- "$name.ini" "c=d.ini"

ELMPI_BIN=$ELMPI_BIN expect 0 "$tools/compare.sh" --out "o=1, 2" --seeds 0,1 "c=d.ini" -- "$name.ini"
says stdout "^\| $(printf '%s' "$name" | sed 's/[$.]/\\&/g') \| 2 \| [0-9]"
says stdout '^\| c=d \| 2 \| [0-9]'
[ "$(grep -c '^"' "o=1, 2/comparison.csv")" -eq 2 ] || fail "a name with a comma is not quoted: $(cat "o=1, 2/comparison.csv")"
awk -F, '$1 == "c=d" && NF != 7 { exit 1 }' "o=1, 2/comparison.csv" || fail "a line of another length"

if command -v gnuplot >/dev/null; then
    expect 0 "$tools/plot-runs.sh" "-p = 'q'.svg" "$name" "o=1, 2/c=d-seed0"
    grep -q "c&apos;s\|c's\|c&#39;s" "./-p = 'q'.svg" || fail "the figure lacks the run's name"
    printf '100\n20\n3\n' >"-n=1, 2.txt"
    expect 0 "$tools/plot-bank.sh" "b'='.svg" "it's:64:2:-n=1, 2.txt"
    [ -s "b'='.svg" ] || fail "no figure"
fi
