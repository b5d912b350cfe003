#!/usr/bin/env bash
# docs/architecture.svg, docs/step.svg and the module table of CONTRIBUTING.md are what their sources say now: made again in a copy, they are the
# same to the byte. A module without a description and a text that does not fit into its bar are errors.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"
need /usr/bin/python3 "Debian's python3"

copy=$scratch/copy
mkdir -p "$copy/tests"
cp -r "$ELMPI_SOURCE"/{docs,CONTRIBUTING.md} "$copy"
cp -r "$ELMPI_SOURCE/tests/layout" "$copy/tests"
expect 0 "$ELMPI_SOURCE/tools/make-diagrams.sh" "$copy"
for file in docs/architecture.svg docs/step.svg CONTRIBUTING.md; do
    cmp -s "$ELMPI_SOURCE/$file" "$copy/$file" || fail "$file is out of date: run tools/make-diagrams.sh"
done
for module in base comm loss train tools; do
    grep -q ">$module</text>" "$copy/docs/architecture.svg" || fail "docs/architecture.svg has no $module"
    # shellcheck disable=SC2016 # backquotes of Markdown
    grep -q "^| \`$module\` |" "$copy/CONTRIBUTING.md" || fail "CONTRIBUTING.md has no row $module"
done

sed -i '/^loss:/d' "$copy/docs/architecture.txt"
expect 1 "$ELMPI_SOURCE/tools/make-diagrams.sh" "$copy"
says stderr 'no line for the module loss'
cp "$ELMPI_SOURCE/docs/architecture.txt" "$copy/docs"
sed -i 's/ pull term$/ a text that is much too long for a bar as short as this one/' "$copy/docs/step.txt"
expect 1 "$ELMPI_SOURCE/tools/make-diagrams.sh" "$copy"
says stderr 'does not fit into its bar'
