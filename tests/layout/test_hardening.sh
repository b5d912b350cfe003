#!/usr/bin/env bash
# Programs are built hardened: position independent, relocations read-only before main, no executable stack, stack canaries, checked string
# functions. One that was built without has to be found, or the check itself is broken.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

# Property, readelf's option, pattern that must be found.
properties=(
    "position independent;-h;Type: +DYN"
    "read-only relocations;-l;GNU_RELRO"
    "bound at the start;-d;BIND_NOW|Flags: .*NOW"
    "no executable stack;-l;GNU_STACK .* RW +0x"
    "stack canaries;-s;__stack_chk_fail"
    "checked string functions;-s;__(snprintf|vsnprintf|fprintf|memcpy|strcpy|read|fread)_chk"
)

# lacks PROGRAM: what of it is missing, a line each.
lacks() {
    local row name option pattern
    for row in "${properties[@]}"; do
        IFS=';' read -r name option pattern <<<"$row"
        readelf -W "$option" "$1" >"$scratch/elf"
        grep -Eq -- "$pattern" "$scratch/elf" || echo "$name"
    done
}

command -v readelf >/dev/null || skip "readelf (binutils) is not there"
if sanitized; then
    skip "this is a sanitizer's build"
fi
for program in "$ELMPI_BIN"/elmpi-*; do
    missing=$(lacks "$program")
    [ -z "$missing" ] || fail "$(basename "$program") lacks: ${missing//$'\n'/, }"
done

printf '#include <stdio.h>\nint main(void) { char text[8]; return scanf("%%7s", text) + text[0]; }\n' >"$scratch/soft.c"
cc -O1 -U_FORTIFY_SOURCE -fno-stack-protector -no-pie -Wl,-z,norelro -Wl,-z,lazy -Wl,-z,execstack -o "$scratch/soft" "$scratch/soft.c"
missing=$(lacks "$scratch/soft" | wc -l)
[ "$missing" -eq ${#properties[@]} ] || fail "of ${#properties[@]} missing protections $missing are found"
echo "$(find "$ELMPI_BIN" -name 'elmpi-*' | wc -l) programs are hardened; of a soft one all ${#properties[@]} gaps are found"
