/* Vectors: loops over plain arrays that several modules share, as kernels:
 * elm_vectors()->dot(...). They run on the calling thread. Sums have the same bits whenever
 * instruction set and count are the same. */
#ifndef ELMPI_BASE_CPU_VECTORS_H
#define ELMPI_BASE_CPU_VECTORS_H

#include <stdint.h>

#include "base/cpu/bf16.h"
#include "base/cpu/kernels.h"

typedef struct elm_vector_kernels {
    /* sum of x y, in double */
    double (*dot)(const float *x, const float *y, int64_t count);
    /* sum of (x - y)^2, in double */
    double (*square_distance)(const float *x, const float *y, int64_t count);
    double (*dot_double)(const double *x, const double *y, int64_t count);
    double (*square_distance_double)(const double *x, const double *y, int64_t count);
    bool (*all_finite)(const float *x, int64_t count);
    void (*add)(float *to, const float *x, int64_t count); /* to += x */
    void (*scale)(float *x, float factor, int64_t count);  /* x *= factor */
    void (*to_bf16)(elm_bf16 *to, const float *x, int64_t count);
    void (*from_bf16)(float *to, const elm_bf16 *x, int64_t count);
    void (*add_bf16)(float *to, const elm_bf16 *x, int64_t count); /* to += x */
} elm_vector_kernels;

ELM_KERNELS(elm_vector_kernels, elm_vectors);

/** Floats that a thread takes at a time where threads share an array. */
enum { ELM_VECTOR_CHUNK = 1 << 14 };

#endif
