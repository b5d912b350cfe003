#include "optim/sgd_kernels.h"

static void update_plain(float *restrict w, const float *restrict g, float *restrict v,
                         int64_t count, elm_sgd_coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        v[i] = k.momentum * v[i] + (g[i] + k.decay * w[i]);
        w[i] -= k.lr * v[i];
    }
}

static void update_nesterov(float *restrict w, const float *restrict g, float *restrict v,
                            int64_t count, elm_sgd_coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const float decayed = g[i] + k.decay * w[i];
        v[i] = k.momentum * v[i] + decayed;
        w[i] -= k.lr * (decayed + k.momentum * v[i]);
    }
}

const elm_sgd_kernels ELM_KERNEL(elm_sgd_kernels_of) = {.plain = update_plain,
                                                        .nesterov = update_nesterov};
