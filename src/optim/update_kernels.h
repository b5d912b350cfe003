/* Update kernels: loops over weights and what optimizers keep beside them. */
#ifndef ELMPI_OPTIM_UPDATE_KERNELS_H
#define ELMPI_OPTIM_UPDATE_KERNELS_H

#include <stdint.h>

#include "base/cpu/kernels.h"

typedef struct elm_update_kernels {
    /** average += share (x - average) */
    void (*average)(float *restrict average, const float *restrict x, int64_t count, float share);
} elm_update_kernels;

ELM_KERNELS(elm_update_kernels, elm_update_kernels_of);

#endif
