#!/usr/bin/env bash
# What only compilers for one processor know (intrinsics, their headers, cpuid, inline assembly) stands behind a condition that says so: elmpi builds for other
# processors too.
set -euo pipefail
# shellcheck source=tests/cli/lib.sh
. "$(dirname "$0")/../cli/lib.sh"

# unguarded FILE...: lines with such words for which no enclosing #if names such a processor.
unguarded() {
    awk '
        FNR == 1 { depth = 0 }
        # A condition that holds on one kind of processor alone; negated, its #else does.
        function special(line) { return line ~ /__x86_64__|__i386__|__aarch64__|__ARM_NEON|__SSE|__AVX|__AMX|__FMA__|__F16C__|__BMI/ }
        function negative(line) { return line ~ /#[ \t]*ifndef|![ \t]*(defined|__)/ }
        /^[ \t]*#[ \t]*if/ { depth++; about[depth] = special($0); inside[depth] = about[depth] && !negative($0); next }
        /^[ \t]*#[ \t]*elif/ { about[depth] = special($0); inside[depth] = about[depth] && !negative($0); next }
        /^[ \t]*#[ \t]*else/ { inside[depth] = about[depth] && !inside[depth]; next }
        /^[ \t]*#[ \t]*endif/ { depth--; next }
        {
            code = $0
            gsub(/"[^"]*"/, "\"\"", code)
            sub(/\/\/.*/, "", code)
            gsub(/\/\*[^*]*\*\//, "", code)
            if ($0 ~ /#[ \t]*include/)
                code = $0
        }
        code ~ /(^|[^A-Za-z0-9_])(_mm[0-9]*_|__m(64|128|256|512)|_tile_|__builtin_ia32_|__builtin_cpu_|__get_cpuid|__cpuid|_xgetbv|asm[ \t]*(volatile)?[ \t]*\(|__asm)/ ||
        code ~ /#[ \t]*include[ \t]*<([a-z]*mmintrin|immintrin|x86intrin|cpuid)[.]h>/ {
            for (d = 1; d <= depth && !inside[d]; d++) {}
            if (d > depth)
                print FILENAME ":" FNR ": " $0
        }' "$@"
}

echo "the search finds what is planted"
cat >"$scratch/bad.c" <<'C'
#ifdef __AVX512F__
#include <immintrin.h>
static __m512 good;
#if 1
static __m512i good_too;
#endif
#else
static __m256 bad_else;
#endif
#ifndef __x86_64__
static __m128 bad_ifndef;
#else
static __m128 good_else;
#endif
#ifdef _OPENMP
#include <cpuid.h>
#endif
void text(void) { puts("_mm512_add_ps"); } /* __m512 */
void code(void) { _mm_pause(); }
C
unguarded "$scratch/bad.c" >"$scratch/found"
[ "$(sed 's/.*bad.c:\([0-9]*\):.*/\1/' "$scratch/found" | paste -sd' ')" = "8 11 16 19" ] || fail "found other lines than 8, 11, 16, 19: $(cat "$scratch/found")"

echo "the sources"
cd "$ELMPI_SOURCE"
mapfile -t files < <(find src include tools tests bench -name '*.[ch]' 2>/dev/null)
[ ${#files[@]} -gt 300 ] || fail "only ${#files[@]} sources found"
unguarded "${files[@]}" >"$scratch/found"
[ ! -s "$scratch/found" ] || fail "one processor alone knows this, and no #if says so: $(cat "$scratch/found")"
