/* SGD in one pass over weights, gradients and momentum: the update is bound by memory traffic, so nothing is read twice. */
#include "elmpi/optim.h"

/* Floats a thread takes at a time. The cuts are the same for any number of threads, and so is what the compiler does with each piece's
 * remainder: equal bits. */
enum { CHUNK = 1 << 14 };

typedef struct coefficients {
    float lr, momentum, decay;
} coefficients;

static void update_plain(float *restrict w, const float *restrict g, float *restrict v, int64_t count, coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        v[i] = k.momentum * v[i] + (g[i] + k.decay * w[i]);
        w[i] -= k.lr * v[i];
    }
}

static void update_nesterov(float *restrict w, const float *restrict g, float *restrict v, int64_t count, coefficients k)
{
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const float decayed = g[i] + k.decay * w[i];
        v[i] = k.momentum * v[i] + decayed;
        w[i] -= k.lr * (decayed + k.momentum * v[i]);
    }
}

void elm_sgd_update(const elm_optim_options *options, double lr, float *weights, const float *gradients, float *momentum,
                    const elm_decay_range *ranges, int range_count)
{
    for (int r = 0; r < range_count; r++) {
        const int64_t first = ranges[r].first, end = first + ranges[r].count;
        const coefficients k = {(float)lr, (float)options->momentum, ranges[r].decay ? (float)options->weight_decay : 0};
#pragma omp parallel for schedule(static) if (end - first > CHUNK)
        for (int64_t at = first; at < end; at += CHUNK) {
            const int64_t count = end - at < CHUNK ? end - at : CHUNK;
            if (options->nesterov)
                update_nesterov(weights + at, gradients + at, momentum + at, count, k);
            else
                update_plain(weights + at, gradients + at, momentum + at, count, k);
        }
    }
}
