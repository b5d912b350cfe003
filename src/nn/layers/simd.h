/* Lanes: vectors of 16 numbers, fp32 in registers whatever they are in memory: one register or
 * several, as the instruction set has them. For kernels alone (base/cpu/kernels.h): their
 * compilation knows how such vectors are passed. */
#ifndef ELMPI_NN_LAYERS_SIMD_H
#define ELMPI_NN_LAYERS_SIMD_H

#include <stdint.h>
#include <string.h>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#include "nn/format.h"

/* gcc cuts vectors that no register holds into pieces through memory, which takes nine times as
 * long. A file that can do with fewer lanes than a block has channels says so by
 * LANES_OF_REGISTERS, and its vectors are as wide as the set's registers. */
#if !defined LANES_OF_REGISTERS || defined __AVX512F__
enum { SIMD_WIDTH = 16 };
#elif defined __AVX__
enum { SIMD_WIDTH = 8 };
#else
enum { SIMD_WIDTH = 4 };
#endif

typedef float simd_float __attribute__((vector_size(4 * SIMD_WIDTH)));
typedef int32_t mask __attribute__((vector_size(4 * SIMD_WIDTH)));

typedef uint32_t words __attribute__((vector_size(4 * SIMD_WIDTH)));
typedef elm_bf16 halves __attribute__((vector_size(2 * SIMD_WIDTH)));

static inline simd_float widen(halves v)
{
    return (simd_float)(__builtin_convertvector(v, words) << 16);
}

/* As elm_bf16_from_float. */
static inline halves narrow(simd_float v)
{
#ifdef __AVX512BF16__
    return (halves)_mm512_cvtneps_pbh((__m512)v);
#else
    const words bits = (words)v, rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16,
                quiet = bits >> 16 | 0x40, nan = (words)(v != v);
    return __builtin_convertvector((quiet & nan) | (rounded & ~nan), halves);
#endif
}

ELM_INLINE simd_float load(const void *array, size_t at, elm_format format)
{
    simd_float v;
    halves h;
    if (format == ELM_FP32) {
        memcpy(&v, (const float *)array + at, sizeof v);
        return v;
    }
    memcpy(&h, (const elm_bf16 *)array + at, sizeof h);
    return widen(h);
}

ELM_INLINE void store(void *array, size_t at, simd_float v, elm_format format)
{
    const halves h = narrow(v);
    if (format == ELM_FP32)
        memcpy((float *)array + at, &v, sizeof v);
    else
        memcpy((elm_bf16 *)array + at, &h, sizeof h);
}

/* The last, incomplete vector of a plane: lanes beyond it hold `rest`. */
ELM_INLINE simd_float load_tail(const void *array, size_t at, size_t count, simd_float rest,
                                elm_format format)
{
    for (size_t j = 0; j < count; j++)
        rest[j] = elm_read(array, at + j, format);
    return rest;
}

ELM_INLINE void store_tail(void *array, size_t at, size_t count, simd_float v, elm_format format)
{
    for (size_t j = 0; j < count; j++)
        elm_write(array, at + j, v[j], format);
}

/** v where the mask is set, else 0; v or else w. */
static inline simd_float lanes_where(mask where, simd_float v)
{
    return (simd_float)((mask)v & where);
}

static inline simd_float lanes_choose(mask where, simd_float v, simd_float w)
{
    return (simd_float)(((mask)v & where) | ((mask)w & ~where));
}

#endif
