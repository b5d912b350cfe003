#!/usr/bin/env bash
# docs/metrics.md names the columns of metrics.csv: all of them, in their order, and no others.
set -euo pipefail
cd "$(dirname "$0")/../.."

code=$(sed -n '/columns_of\[\] = {/,/^};/s/.*ROW("\([a-z_]*\)".*/\1/p' src/train/metrics/epoch_metrics.c)
# shellcheck disable=SC2016 # backquotes of Markdown
page=$(sed -n 's/^| \(`[^|]*\) |.*/\1/p' docs/metrics.md | grep -o '`[a-z_]*`' | tr -d '`')
[ "$(wc -l <<<"$code")" -gt 20 ] || { echo "the columns are not found (src/train/metrics/epoch_metrics.c): has their table moved?" >&2; exit 1; }
diff <(echo "$code") <(echo "$page") || { echo "docs/metrics.md and the columns of src/train/metrics/epoch_metrics.c differ: see above" >&2; exit 1; }
