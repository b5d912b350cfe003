#include "optim/update_kernels.h"

static void average(float *restrict average, const float *restrict x, int64_t count, float share)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++)
        average[i] += share * (x[i] - average[i]);
}

const elm_update_kernels ELM_KERNEL(elm_update_kernels_of) = {.average = average};
