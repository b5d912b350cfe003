/* SGD in one pass over weights, gradients and momentum: the update is bound by memory traffic,
 * so nothing is read twice. */
#include "base/cpu/vectors.h"
#include "optim/optimizers.h"
#include "optim/sgd_kernels.h"

void elm_sgd_update(const elm_optim_options *options, double lr, float *weights,
                    const float *gradients, float *momentum, const elm_decay_range *ranges,
                    int range_count)
{
    for (int r = 0; r < range_count; r++) {
        const int64_t first = ranges[r].first, end = first + ranges[r].count;
        const elm_sgd_kernels *kernels = elm_sgd_kernels_of();
        elm_sgd_update_function *update = options->nesterov ? kernels->nesterov : kernels->plain;
        const elm_sgd_coefficients k = {(float)lr, (float)options->momentum,
                                        ranges[r].decay ? (float)options->weight_decay : 0};
#pragma omp parallel for schedule(static) if (end - first > ELM_VECTOR_CHUNK)
        for (int64_t at = first; at < end; at += ELM_VECTOR_CHUNK)
            update(weights + at, gradients + at, momentum + at,
                   end - at < ELM_VECTOR_CHUNK ? end - at : ELM_VECTOR_CHUNK, k);
    }
}

static void sgd_update(const elm_update *u)
{
    elm_sgd_update(u->options, u->lr, u->weights, u->gradients, u->block[0], u->ranges,
                   u->range_count);
}

const elm_optimizer elm_optimizer_sgd = {
    .name = "sgd",
    .formula = "g += weight_decay w; v = momentum v + g; w -= lr v, with nesterov lr (g + momentum "
               "v)",
    .source = "as torch.optim.SGD",
    .help = "stochastic gradient descent with momentum",
    .block = {"momentum"},
    .update = sgd_update,
};
