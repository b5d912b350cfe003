/* Optim: the optimizers, SGD and AdamW as PyTorch defines them and LARS, the average of weights,
 * and the learning-rate schedules. */
#ifndef ELMPI_OPTIM_H
#define ELMPI_OPTIM_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/option.h"

/** [optim] of a job file. */
typedef struct elm_optim_options {
    double epochs;
    int64_t batch;      /* global */
    int64_t accumulate; /* parts that a global batch is computed in, one after another */
    int optimizer;      /* sgd|adamw|lars */
    double lr, momentum, weight_decay;
    double beta1, beta2, epsilon; /* adamw */
    double trust;                 /* lars */
    bool nesterov, decay_bn;
    int schedule; /* constant|multistep|cosine */
    double warmup_epochs;
    elm_reals milestones; /* epochs */
    double gamma;
    double clip_norm; /* 0: off */
    double ema;       /* decay of the weights' average; 0: none is kept */
} elm_optim_options;
extern const elm_option elm_optim_option_rows[];

/** "optim.warmup_epochs 15, optim.milestones 96,192,224" as far as they lie beyond the run's end
 * (used ones only); empty: none does. */
void elm_optim_beyond(const elm_optim_options *options, char *text, size_t size_bytes);

/** A run of consecutive parameters that are decayed alike. */
typedef struct elm_decay_range {
    int64_t first, count; /* floats */
    bool decay;
    bool is_vector; /* of one dimension, as biases are; only where ranges are single tensors */
} elm_decay_range;

enum { ELM_OPTIMIZER_BLOCKS = 2 };

/** Updates are counted as far as a checkpoint's float holds every number. With betas up to 0.999999
 * 1 - beta^t is 1 by then, within that float's rounding. */
enum { ELM_UPDATES_COUNTED = 1 << 24 };

/** One update of the contiguous block of weights that learn. */
typedef struct elm_update {
    const elm_optim_options *options;
    double lr;
    int64_t done; /* updates before this one, at most ELM_UPDATES_COUNTED */
    float *weights;
    const float *gradients;
    float *block[ELM_OPTIMIZER_BLOCKS]; /* the optimizer's own, like the weights, 0 at first */
    const elm_decay_range *ranges;      /* cover the weights in order */
    int range_count;
} elm_update;

/** An optimizer: a row of the table. */
typedef struct elm_optimizer {
    const char *name, *formula, *source, *help;
    /* names of what it keeps beside the weights, /optimizer/<block>/<weight> in checkpoints;
     * NULL: no more */
    const char *block[ELM_OPTIMIZER_BLOCKS];
    bool counts;    /* it reads elm_update.done, which checkpoints then hold */
    bool by_tensor; /* each range is one tensor */
    /** Ranks:  local; equal input gives equal bits for any number of threads. Allocates nothing */
    void (*update)(const elm_update *update);
} elm_optimizer;

/** The one that optim.name names. */
const elm_optimizer *elm_optimizer_of(const elm_optim_options *options);
/** Row i of the table; NULL after the last. */
const elm_optimizer *elm_optimizer_row(int i);

/** One SGD update of the contiguous block. g += wd w; v = mu v + g; w -= lr v, or w -= lr (g + mu
 * v) with Nesterov.
 *  Shape:  weights, gradients, momentum [count] float32; ranges cover [0, count) in order
 *  Ranks:  local; equal input gives equal bits for any number of threads */
void elm_sgd_update(const elm_optim_options *options, double lr, float *weights,
                    const float *gradients, float *momentum, const elm_decay_range *ranges,
                    int range_count);

/** One step of an exponential moving average. Values that equal their average leave it as it is,
 * bit for bit.
 *  Math:   average += (1 - decay) (values - average), in fp32
 *  Shape:  average, values [count] float32
 *  Ranks:  local; equal input gives equal bits for any number of threads. Allocates nothing */
void elm_average_update(double decay, float *average, const float *values, int64_t count);

/** Length of the gradient, sums in double.
 *  Shape:  gradients [count] float32
 *  Ranks:  local; equal input gives equal bits for any number of threads. Allocates nothing */
double elm_gradient_norm(const float *gradients, int64_t count);
/** Makes the gradient no longer than clip_norm, as PyTorch's clip_grad_norm_ does; returns the
 * length it had, 0 where clipping is off.
 *  Math:   g *= min(1, clip_norm / (|g| + 1e-6)), before weight decay is added
 *  Shape:  gradients [count] of all that learns
 *  Ranks:  local, of the summed gradient: equal bits everywhere */
double elm_gradient_clip(const elm_optim_options *options, float *gradients, int64_t count);

/** Learning rate of step `step` (from 0) of a run with `steps_per_epoch` steps an epoch.
 *  Math:   warm-up lr min(1, (s+1)/warm-up steps) times: constant 1; multistep gamma^(milestones
 *          passed: s >= milestone steps); cosine (1 + cos(pi t)) / 2 with t = s / total steps.
 *          Epochs, warm-up and milestones are real numbers (docs/design.md, section 4) */
double elm_schedule_lr(const elm_optim_options *options, int64_t step, int64_t steps_per_epoch);

/** Whether that of a step depends on how long the run is to be. */
bool elm_lr_depends_on_length(const elm_optim_options *options);

/** Images of the largest part of a global batch: ceil(batch / accumulate). The parts differ by
 * one image at most (elm_partition_begin). */
int64_t elm_optim_microbatch(const elm_optim_options *options);
/** Parts of a whole global batch: accumulate, or fewer where rounding up makes the last ones
 * empty. */
int64_t elm_optim_microbatches(const elm_optim_options *options);
/** Errors: ELM_EXIT_USAGE for more parts than images */
int elm_optim_check(const elm_optim_options *options, elm_error *err);

/** Steps of the whole run: ceil(epochs * steps_per_epoch), tolerant of rounding, at least 1. */
int64_t elm_schedule_steps(const elm_optim_options *options, int64_t steps_per_epoch);

#endif
