#include "optim/update_kernels.h"

#include <math.h>

static void average(float *restrict average, const float *restrict x, int64_t count, float share)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        average[i] += share * (x[i] - average[i]);
}

static void adamw(float *restrict w, const float *restrict g, float *restrict m, float *restrict v,
                  int64_t count, elm_adamw_coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        m[i] += k.share1 * (g[i] - m[i]);
        v[i] = k.beta2 * v[i] + k.share2 * g[i] * g[i];
        w[i] = k.keep * w[i] - k.rate * m[i] / (sqrtf(v[i]) * k.root + k.epsilon);
    }
}

static void lars(float *restrict w, const float *restrict g, float *restrict v, int64_t count,
                 elm_sgd_coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        v[i] = k.momentum * v[i] + k.lr * (g[i] + k.decay * w[i]);
        w[i] -= v[i];
    }
}

const elm_update_kernels ELM_KERNEL(elm_update_kernels_of) = {
    .average = average, .adamw = adamw, .lars = lars};
