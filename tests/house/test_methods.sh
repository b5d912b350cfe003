#!/usr/bin/env bash
# docs/methods.md is what the tables say now, and knows every job's method.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

expect 0 "$ELMPI_BIN/elmpi-methods"
cmp -s "$scratch/stdout" "$ELMPI_SOURCE/docs/methods.md" || fail "docs/methods.md is out of date: run tools/make-methods.sh ($(diff "$scratch/stdout" "$ELMPI_SOURCE/docs/methods.md" | sed -n 2p))"
mapfile -t names < <(sed -nE 's/^(logit|embed) = ([a-z-]+).*/\2/p' "$ELMPI_SOURCE"/jobs/{,methods/}*.ini | sort -u)
[ "${#names[@]}" -gt 10 ] || fail "no methods found in the jobs"
for name in "${names[@]}"; do
    [ "$name" = none ] || grep -qx "### \`$name\`" "$ELMPI_SOURCE/docs/methods.md" || fail "docs/methods.md lacks $name"
done
expect 2 "$ELMPI_BIN/elmpi-methods" page
