#include "base/cpu/vectors.h"

static double dot(const float *x, const float *y, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static double square_distance(const float *x, const float *y, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += ((double)x[i] - (double)y[i]) * ((double)x[i] - (double)y[i]);
    return sum;
}

static double dot_double(const double *x, const double *y, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * y[i];
    return sum;
}

static double square_distance_double(const double *x, const double *y, int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

/* x * 0 is 0 for finite x and NaN otherwise, so one vectorized pass finds any. */
static bool all_finite(const float *x, int64_t count)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += x[i] * 0;
    return sum == 0;
}

static void add(float *to, const float *x, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] += x[i];
}

static void scale(float *x, float factor, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        x[i] *= factor;
}

static void to_bf16(elm_bf16 *to, const float *x, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = elm_bf16_from_float(x[i]);
}

static void from_bf16(float *to, const elm_bf16 *x, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] = elm_bf16_to_float(x[i]);
}

static void add_bf16(float *to, const elm_bf16 *x, int64_t count)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        to[i] += elm_bf16_to_float(x[i]);
}

const elm_vector_kernels ELM_KERNEL(elm_vectors) = {
    .dot = dot,
    .square_distance = square_distance,
    .dot_double = dot_double,
    .square_distance_double = square_distance_double,
    .all_finite = all_finite,
    .add = add,
    .scale = scale,
    .to_bf16 = to_bf16,
    .from_bf16 = from_bf16,
    .add_bf16 = add_bf16,
};
