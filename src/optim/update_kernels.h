/* Update kernels: loops over weights and what optimizers keep beside them. */
#ifndef ELMPI_OPTIM_UPDATE_KERNELS_H
#define ELMPI_OPTIM_UPDATE_KERNELS_H

#include <stdint.h>

#include "base/cpu/kernels.h"
#include "optim/sgd_kernels.h"

typedef struct elm_adamw_coefficients {
    float keep;          /* 1 - lr decay */
    float share1;        /* 1 - beta1 */
    float beta2, share2; /* share2: 1 - beta2 */
    float rate;          /* lr / (1 - beta1^t) */
    float root;          /* 1 / sqrt(1 - beta2^t) */
    float epsilon;
} elm_adamw_coefficients;

typedef struct elm_update_kernels {
    /** average += share (x - average) */
    void (*average)(float *restrict average, const float *restrict x, int64_t count, float share);
    /** w *= keep; m += share1 (g - m); v = beta2 v + share2 g^2;
     * w -= rate m / (sqrt(v) root + epsilon) */
    void (*adamw)(float *restrict w, const float *restrict g, float *restrict m, float *restrict v,
                  int64_t count, elm_adamw_coefficients k);
    /** v = momentum v + lr (g + decay w); w -= v */
    void (*lars)(float *restrict w, const float *restrict g, float *restrict v, int64_t count,
                 elm_sgd_coefficients k);
} elm_update_kernels;

ELM_KERNELS(elm_update_kernels, elm_update_kernels_of);

#endif
