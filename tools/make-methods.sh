#!/usr/bin/env bash
# Writes docs/methods.md anew from the program's tables. Needs a build: ELMPI_BIN, else build/bin.
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/environment.sh"
page=$elmpi_root/docs/methods.md
"${ELMPI_BIN:-$elmpi_root/build/bin}/elmpi-methods" >"$page.new"
mv "$page.new" "$page"
echo "$page"
