/* Format: how the numbers of an activation or of its gradient lie in memory. Arithmetic on them
 * is always fp32. Functions that take a format are inlined where it is a constant, so that a
 * loop has none of the choice left in it. */
#ifndef ELMPI_NN_FORMAT_H
#define ELMPI_NN_FORMAT_H

#include <stddef.h>

#include "base/cpu/bf16.h"

typedef enum elm_format { ELM_FP32, ELM_BF16 } elm_format;

#define ELM_INLINE static inline __attribute__((always_inline))

ELM_INLINE size_t elm_format_size(elm_format format)
{
    return format == ELM_BF16 ? sizeof(elm_bf16) : sizeof(float);
}

/** Element `at` of an array; NULL stays NULL. */
ELM_INLINE void *elm_element(const void *array, size_t at, elm_format format)
{
    return array ? (char *)array + at * elm_format_size(format) : NULL;
}

ELM_INLINE float elm_read(const void *array, size_t at, elm_format format)
{
    return format == ELM_BF16 ? elm_bf16_to_float(((const elm_bf16 *)array)[at])
                              : ((const float *)array)[at];
}

ELM_INLINE void elm_write(void *array, size_t at, float value, elm_format format)
{
    if (format == ELM_BF16)
        ((elm_bf16 *)array)[at] = elm_bf16_from_float(value);
    else
        ((float *)array)[at] = value;
}

/** Calls `function` with the format as a constant last argument. */
#define ELM_BY_FORMAT(format, function, ...)                                                       \
    do {                                                                                           \
        if ((format) == ELM_BF16)                                                                  \
            function(__VA_ARGS__, ELM_BF16);                                                       \
        else                                                                                       \
            function(__VA_ARGS__, ELM_FP32);                                                       \
    } while (0)

#endif
