#!/usr/bin/env bash
# A store of the first versions, with a class whose name is no UTF-8: what has been trained on it can be evaluated, exported and reported.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/lib.sh"

store=$scratch/moons.h5
expect 0 "$ELMPI_BIN/elmpi-prepare" two-moons --images 200 --out "$store"
says stdout 'names: 0 head, 1 tail'
LC_ALL=C sed -i 's/head\x00/h\xe4ad\x00/' "$store"
printf '[run]\nname = m\n[data]\nstore = %s\n[model]\nname = mlp:16,8,2\n[optim]\nepochs = 1\nbatch = 50\nlr = 0.1\n' "$store" >"$scratch/m.ini"

valid() {
    iconv -f UTF-8 -t UTF-8 "$1" >/dev/null || fail "no UTF-8: $1"
}

echo "as it is"
expect 0 "$ELMPI_BIN/elmpi-train" "$scratch/m.ini" --run-dir "$scratch/m"
valid "$scratch/m/evaluation.json"
grep -qF 'h\\xE4ad' "$scratch/m/evaluation.json" || fail "the name is not escaped"
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/m/checkpoint.h5" --json "$scratch/e.json"
valid "$scratch/e.json"
for format in safetensors onnx; do
    expect 0 "$ELMPI_BIN/elmpi-export" "$scratch/m/checkpoint.h5" --to "$scratch/m.$format"
    grep -qa 'h[\]*xE4ad' "$scratch/m.$format" || fail "the name is not escaped in $format"
done
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/m/checkpoint.h5" --analysis "$scratch/m/analysis.h5"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/m" --out "$scratch/m.html"
valid "$scratch/m.html"

echo "an evaluation of the first versions"
LC_ALL=C sed -i 's/h\\\\xE4ad/h\xe4ad/' "$scratch/m/evaluation.json"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/m" --out "$scratch/m.html"

echo "renamed"
printf '\xef\xbb\xbfoben\r\nunten\r\n' >"$scratch/names.txt"
expect 0 "$ELMPI_BIN/elmpi-evaluate" "$scratch/m/checkpoint.h5" --class-names "$scratch/names.txt" --json "$scratch/e.json"
grep -q '"oben"' "$scratch/e.json" || fail "the new name is not there"
expect 0 "$ELMPI_BIN/elmpi-export" "$scratch/m/checkpoint.h5" --class-names "$scratch/names.txt" --to "$scratch/m.safetensors"
grep -qa 'oben' "$scratch/m.safetensors" || fail "the new name is not in the export"
expect 0 "$ELMPI_BIN/elmpi-report" "$scratch/m" --class-names "$scratch/names.txt" --out "$scratch/m.html"
printf 'oben\n' >"$scratch/names.txt"
expect 2 "$ELMPI_BIN/elmpi-export" "$scratch/m/checkpoint.h5" --class-names "$scratch/names.txt" --to "$scratch/x.onnx"
says stderr '1 names for 2 classes'
expect 2 "$ELMPI_BIN/elmpi-evaluate" "$scratch/m/checkpoint.h5" --class-names "$scratch/names.txt"
says stderr '1 names for 2 classes'
printf 'oben\n\nunten\n' >"$scratch/names.txt"
expect 2 "$ELMPI_BIN/elmpi-report" "$scratch/m" --class-names "$scratch/names.txt" --out "$scratch/x.html"
says stderr 'a class without a name .*line 2'
absent "$scratch/x.onnx"
