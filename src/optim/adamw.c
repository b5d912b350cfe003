/* AdamW in one pass over weights, gradients and both moments. */
#include <math.h>

#include "base/cpu/vectors.h"
#include "optim/optimizers.h"
#include "optim/update_kernels.h"

static void adamw_update(const elm_update *u)
{
    const elm_optim_options *o = u->options;
    const elm_update_kernels *kernels = elm_update_kernels_of();
    const double taken = (double)u->done + 1, first = 1 - pow(o->beta1, taken),
                 second = 1 - pow(o->beta2, taken);
    for (int r = 0; r < u->range_count; r++) {
        const int64_t from = u->ranges[r].first, end = from + u->ranges[r].count;
        const double decay = u->ranges[r].decay ? o->weight_decay : 0;
        const elm_adamw_coefficients k = {
            .keep = (float)(1 - u->lr * decay),
            .share1 = (float)(1 - o->beta1),
            .beta2 = (float)o->beta2,
            .share2 = (float)(1 - o->beta2),
            .rate = (float)(u->lr / first),
            .root = (float)(1 / sqrt(second)),
            .epsilon = (float)o->epsilon,
        };
#pragma omp parallel for schedule(static) if (end - from > ELM_VECTOR_CHUNK)
        for (int64_t at = from; at < end; at += ELM_VECTOR_CHUNK)
            kernels->adamw(u->weights + at, u->gradients + at, u->block[0] + at, u->block[1] + at,
                           end - at < ELM_VECTOR_CHUNK ? end - at : ELM_VECTOR_CHUNK, k);
    }
}

const elm_optimizer elm_optimizer_adamw = {
    .name = "adamw",
    .formula = "w -= lr weight_decay w; m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) "
               "g^2; w -= lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)",
    .source = "Loshchilov and Hutter 2019, Decoupled weight decay regularization, as "
              "torch.optim.AdamW",
    .help = "Adam with weight decay apart from the gradient; t counts updates from 1",
    .block = {"exp_avg", "exp_avg_sq"},
    .counts = true,
    .update = adamw_update,
};
