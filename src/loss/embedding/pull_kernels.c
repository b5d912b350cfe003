#include "loss/embedding/pull_kernels.h"

static double squared_distance(elm_memory_bank_row a, elm_memory_bank_row b, int width)
{
    double sum = 0;
    if (b.fp32) {
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < width; k++) {
            const double difference = a.fp32[k] * a.scale - b.fp32[k] * b.scale;
            sum += difference * difference;
        }
        return sum;
    }
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < width; k++) {
        const double difference = a.fp32[k] * a.scale - elm_bf16_to_float(b.bf16[k]) * b.scale;
        sum += difference * difference;
    }
    return sum;
}

static void add_difference(double *to, double weight, elm_memory_bank_row a, elm_memory_bank_row b,
                           int width)
{
    if (b.fp32) {
#pragma omp simd
        for (int k = 0; k < width; k++)
            to[k] += weight * (a.fp32[k] * a.scale - b.fp32[k] * b.scale);
        return;
    }
#pragma omp simd
    for (int k = 0; k < width; k++)
        to[k] += weight * (a.fp32[k] * a.scale - elm_bf16_to_float(b.bf16[k]) * b.scale);
}

static void multiply(double *x, double factor, int width)
{
#pragma omp simd
    for (int k = 0; k < width; k++)
        x[k] *= factor;
}

static double along(const double *x, elm_memory_bank_row u, int width)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < width; k++)
        sum += x[k] * (u.fp32[k] * u.scale);
    return sum;
}

static void project(double *x, double length, elm_memory_bank_row u, int width)
{
#pragma omp simd
    for (int k = 0; k < width; k++)
        x[k] = (x[k] - length * (u.fp32[k] * u.scale)) * u.scale;
}

static void add_to(float *to, double factor, const double *x, int width)
{
#pragma omp simd
    for (int k = 0; k < width; k++)
        to[k] += (float)(factor * x[k]);
}

const elm_pull_kernels ELM_KERNEL(elm_pull_kernels_of) = {
    .squared_distance = squared_distance,
    .add_difference = add_difference,
    .multiply = multiply,
    .along = along,
    .project = project,
    .add_to = add_to,
};
