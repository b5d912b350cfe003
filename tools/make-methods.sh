#!/usr/bin/env bash
# Writes docs/methods.md and the lists of options in docs/jobs.md from the program's tables. Needs a build: ELMPI_BIN, else build/bin.
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/environment.sh"
methods=${ELMPI_BIN:-$elmpi_root/build/bin}/elmpi-methods

page=$elmpi_root/docs/methods.md
"$methods" >"$page.new"
mv "$page.new" "$page"
echo "$page"

# What stands between the two marks is replaced.
page=$elmpi_root/docs/jobs.md
{
    sed '/^<!-- options -->$/q' "$page"
    "$methods" --options
    sed -n '/^<!-- end of options -->$/,$p' "$page"
} >"$page.new"
mv "$page.new" "$page"
echo "$page"
