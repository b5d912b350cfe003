#!/usr/bin/env bash
# Writes docs/architecture.svg and the module table of CONTRIBUTING.md (from tests/layout/test_includes.sh and docs/architecture.txt), and
# docs/step.svg (from docs/step.txt). Needs Debian's python3.
set -euo pipefail
# shellcheck source=tools/environment.sh
. "$(dirname "$0")/environment.sh"
root=${1:-$elmpi_root} # another tree than this script's, for its test
python=/usr/bin/python3
draw=$elmpi_root/tools/diagrams

for name in architecture step; do
    "$python" -B "$draw/$name.py" "$root" >"$root/docs/$name.svg.new"
    mv "$root/docs/$name.svg.new" "$root/docs/$name.svg"
    echo "$root/docs/$name.svg"
done

# What stands between the two marks is replaced.
page=$root/CONTRIBUTING.md
{
    sed '/^<!-- modules -->$/q' "$page"
    printf '| module | what | may include |\n|---|---|---|\n'
    "$python" -B "$draw/architecture.py" "$root" --table
    sed -n '/^<!-- end of modules -->$/,$p' "$page"
} >"$page.new"
mv "$page.new" "$page"
echo "$page"
