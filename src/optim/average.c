/* The moving average of weights: one pass, bound by memory traffic. */
#include "base/cpu/vectors.h"
#include "elmpi/optim.h"
#include "optim/update_kernels.h"

void elm_average_update(double decay, float *average, const float *values, int64_t count)
{
    const elm_update_kernels *kernels = elm_update_kernels_of();
    const float share = (float)(1 - decay);
#pragma omp parallel for schedule(static) if (count > ELM_VECTOR_CHUNK)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        kernels->average(average + at, values + at,
                         count - at < ELM_VECTOR_CHUNK ? count - at : ELM_VECTOR_CHUNK, share);
}
