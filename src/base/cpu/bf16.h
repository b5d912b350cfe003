/* bf16: the upper half of a float. Eight significant bits, a float's range. */
#ifndef ELMPI_BASE_CPU_BF16_H
#define ELMPI_BASE_CPU_BF16_H

#include <stdint.h>
#include <string.h>

typedef uint16_t elm_bf16;

static inline float elm_bf16_to_float(elm_bf16 x)
{
    const uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/** To the nearest, ties to even, as the processors' instructions round; NaN stays NaN. */
static inline elm_bf16 elm_bf16_from_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16, quiet = bits >> 16 | 0x40;
    return (elm_bf16)(value != value ? quiet : rounded); /* without a branch, for vectors */
}

#endif
