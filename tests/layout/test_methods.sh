#!/usr/bin/env bash
# docs/methods.md and the options in docs/jobs.md are what the tables say now; docs/methods.md has every job's method, and the two have every option.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

expect 0 "$ELMPI_BIN/elmpi-methods"
cmp -s "$scratch/stdout" "$ELMPI_SOURCE/docs/methods.md" || fail "docs/methods.md is out of date: run tools/make-methods.sh ($(diff "$scratch/stdout" "$ELMPI_SOURCE/docs/methods.md" | sed -n 2p))"
expect 0 "$ELMPI_BIN/elmpi-methods" --options
sed -e '1,/^<!-- options -->$/d' -e '/^<!-- end of options -->$/,$d' "$ELMPI_SOURCE/docs/jobs.md" >"$scratch/options"
cmp -s "$scratch/stdout" "$scratch/options" || fail "docs/jobs.md is out of date: run tools/make-methods.sh ($(diff "$scratch/stdout" "$scratch/options" | sed -n 2p))"
"$ELMPI_BIN/elmpi-train" --help | sed -nE 's/^  ([a-z]+\.[a-z_.-]+)$/\1/p' | sort >"$scratch/known"
[ "$(wc -l <"$scratch/known")" -gt 80 ] || fail "elmpi-train --help lists too few options"
# shellcheck disable=SC2016 # backquotes of Markdown
cat "$ELMPI_SOURCE"/docs/{jobs,methods}.md | sed -nE 's/^- `([a-z]+\.[a-z_.-]+)` \(.*/\1/p' | sort -u >"$scratch/listed"
diff "$scratch/known" "$scratch/listed" >&2 || fail "docs/jobs.md and docs/methods.md do not list the options of elmpi-train"

mapfile -t names < <(sed -nE 's/^(logit|embed) = ([a-z-]+).*/\2/p' "$ELMPI_SOURCE"/jobs/{,methods/}*.ini | sort -u)
[ "${#names[@]}" -gt 10 ] || fail "no methods found in the jobs"
for name in "${names[@]}"; do
    [ "$name" = none ] || grep -qx "### \`$name\`" "$ELMPI_SOURCE/docs/methods.md" || fail "docs/methods.md lacks $name"
done
expect 2 "$ELMPI_BIN/elmpi-methods" page
