/* CPU features: extensions of x86-64 that a compiler uses by itself when it is told the CPU, and
 * where CPUID shows them. */
#ifndef ELMPI_BASE_CPU_CPU_FEATURES_H
#define ELMPI_BASE_CPU_CPU_FEATURES_H

#include <stdint.h>

/* ROW(identifier, name, CPUID leaf, sub-leaf, register, bit, state that the operating system
 * must save, compiler's macro) */
/* clang-format off */
#define ELM_CPU_FEATURES(ROW) \
    ROW(SSE3, "SSE3", 1, 0, ECX, 0, NOTHING, __SSE3__) \
    ROW(SSSE3, "SSSE3", 1, 0, ECX, 9, NOTHING, __SSSE3__) \
    ROW(SSE41, "SSE4.1", 1, 0, ECX, 19, NOTHING, __SSE4_1__) \
    ROW(SSE42, "SSE4.2", 1, 0, ECX, 20, NOTHING, __SSE4_2__) \
    ROW(POPCNT, "POPCNT", 1, 0, ECX, 23, NOTHING, __POPCNT__) \
    ROW(CX16, "CMPXCHG16B", 1, 0, ECX, 13, NOTHING, __GCC_HAVE_SYNC_COMPARE_AND_SWAP_16) \
    ROW(AVX, "AVX", 1, 0, ECX, 28, YMM, __AVX__) \
    ROW(F16C, "F16C", 1, 0, ECX, 29, YMM, __F16C__) \
    ROW(FMA, "FMA", 1, 0, ECX, 12, YMM, __FMA__) \
    ROW(MOVBE, "MOVBE", 1, 0, ECX, 22, NOTHING, __MOVBE__) \
    ROW(LZCNT, "LZCNT", 0x80000001, 0, ECX, 5, NOTHING, __LZCNT__) \
    ROW(BMI1, "BMI1", 7, 0, EBX, 3, NOTHING, __BMI__) \
    ROW(BMI2, "BMI2", 7, 0, EBX, 8, NOTHING, __BMI2__) \
    ROW(AVX2, "AVX2", 7, 0, EBX, 5, YMM, __AVX2__) \
    ROW(GFNI, "GFNI", 7, 0, ECX, 8, NOTHING, __GFNI__) \
    ROW(AVX_VNNI, "AVX-VNNI", 7, 1, EAX, 4, YMM, __AVXVNNI__) \
    ROW(AVX512F, "AVX512F", 7, 0, EBX, 16, ZMM, __AVX512F__) \
    ROW(AVX512BW, "AVX512BW", 7, 0, EBX, 30, ZMM, __AVX512BW__) \
    ROW(AVX512CD, "AVX512CD", 7, 0, EBX, 28, ZMM, __AVX512CD__) \
    ROW(AVX512DQ, "AVX512DQ", 7, 0, EBX, 17, ZMM, __AVX512DQ__) \
    ROW(AVX512VL, "AVX512VL", 7, 0, EBX, 31, ZMM, __AVX512VL__) \
    ROW(AVX512_IFMA, "AVX512-IFMA", 7, 0, EBX, 21, ZMM, __AVX512IFMA__) \
    ROW(AVX512_VBMI, "AVX512-VBMI", 7, 0, ECX, 1, ZMM, __AVX512VBMI__) \
    ROW(AVX512_VBMI2, "AVX512-VBMI2", 7, 0, ECX, 6, ZMM, __AVX512VBMI2__) \
    ROW(AVX512_VNNI, "AVX512-VNNI", 7, 0, ECX, 11, ZMM, __AVX512VNNI__) \
    ROW(AVX512_BITALG, "AVX512-BITALG", 7, 0, ECX, 12, ZMM, __AVX512BITALG__) \
    ROW(AVX512_VPOPCNTDQ, "AVX512-VPOPCNTDQ", 7, 0, ECX, 14, ZMM, __AVX512VPOPCNTDQ__) \
    ROW(AVX512_BF16, "AVX512-BF16", 7, 1, EAX, 5, ZMM, __AVX512BF16__) \
    ROW(AVX512_FP16, "AVX512-FP16", 7, 0, EDX, 23, ZMM, __AVX512FP16__) \
    ROW(AMX_TILE, "AMX-TILE", 7, 0, EDX, 24, TILES, __AMX_TILE__) \
    ROW(AMX_BF16, "AMX-BF16", 7, 0, EDX, 22, TILES, __AMX_BF16__)
/* clang-format on */

#define ELM_CPU_PLACE(identifier, ...) ELM_CPU_PLACE_##identifier,
enum { ELM_CPU_FEATURES(ELM_CPU_PLACE) ELM_CPU_FEATURE_COUNT };
#undef ELM_CPU_PLACE

#define ELM_CPU_BIT(identifier) (UINT64_C(1) << ELM_CPU_PLACE_##identifier)

/** Features that the compiler was allowed to use throughout elmpi: a bit each. */
extern const uint64_t elm_cpu_needs;

#endif
