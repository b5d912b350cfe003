/* The moving average of weights: one pass, bound by memory traffic. */
#include "elmpi/optim.h"
#include "optim/update_kernels.h"

/* Floats a thread takes at a time; the cuts do not depend on the threads. */
enum { CHUNK = 1 << 14 };

void elm_average_update(double decay, float *average, const float *values, int64_t count)
{
    const elm_update_kernels *kernels = elm_update_kernels_of();
    const float share = (float)(1 - decay);
#pragma omp parallel for schedule(static) if (count > CHUNK)
    for (int64_t at = 0; at < count; at += CHUNK)
        kernels->average(average + at, values + at, count - at < CHUNK ? count - at : CHUNK, share);
}
