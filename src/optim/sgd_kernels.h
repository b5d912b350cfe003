/* SGD kernels: the update in one pass over weights, gradients and momentum. */
#ifndef ELMPI_OPTIM_SGD_KERNELS_H
#define ELMPI_OPTIM_SGD_KERNELS_H

#include <stdint.h>

#include "base/cpu/kernels.h"

typedef struct elm_sgd_coefficients {
    float lr, momentum, decay;
} elm_sgd_coefficients;

/** g += decay w; v = momentum v + g; w -= lr v, or, Nesterov's, lr (g + momentum v). */
typedef void elm_sgd_update_function(float *restrict w, const float *restrict g, float *restrict v,
                                     int64_t count, elm_sgd_coefficients k);

typedef struct elm_sgd_kernels {
    elm_sgd_update_function *plain, *nesterov;
} elm_sgd_kernels;

ELM_KERNELS(elm_sgd_kernels, elm_sgd_kernels_of);

#endif
