/* LARS: SGD with a rate of its own for each tensor, so that large batches train. */
#include "base/cpu/vectors.h"
#include "optim/optimizers.h"
#include "optim/update_kernels.h"

/* lambda of one tensor. Without length there is no ratio. */
static double ratio_of(const elm_update *u, const elm_decay_range *range, double decay)
{
    if (range->is_vector)
        return 1;
    const double weights = elm_gradient_norm(u->weights + range->first, range->count),
                 gradients = elm_gradient_norm(u->gradients + range->first, range->count);
    return weights > 0 && gradients > 0
               ? u->options->trust * weights / (gradients + decay * weights)
               : 1;
}

static void lars_update(const elm_update *u)
{
    const elm_update_kernels *kernels = elm_update_kernels_of();
    for (int r = 0; r < u->range_count; r++) {
        const elm_decay_range *range = &u->ranges[r];
        const int64_t from = range->first, end = from + range->count;
        const double decay = range->decay ? u->options->weight_decay : 0;
        const elm_sgd_coefficients k = {(float)(u->lr * ratio_of(u, range, decay)),
                                        (float)u->options->momentum, (float)decay};
#pragma omp parallel for schedule(static) if (end - from > ELM_VECTOR_CHUNK)
        for (int64_t at = from; at < end; at += ELM_VECTOR_CHUNK)
            kernels->lars(u->weights + at, u->gradients + at, u->block[0] + at,
                          end - at < ELM_VECTOR_CHUNK ? end - at : ELM_VECTOR_CHUNK, k);
    }
}

const elm_optimizer elm_optimizer_lars = {
    .name = "lars",
    .formula = "of each tensor: lambda = trust |w| / (|g| + weight_decay |w|); v = momentum v + lr "
               "lambda (g + weight_decay w); w -= v",
    .source = "You, Gitman, Ginsburg 2017, Large batch training of convolutional networks",
    .help = "SGD whose rate follows each tensor's length and that of its gradient, for large "
            "batches; lambda is 1 for biases and BatchNorm's parameters, as in MLPerf's reference, "
            "and where either length is 0",
    .block = {"momentum"},
    .by_tensor = true,
    .update = lars_update,
};
