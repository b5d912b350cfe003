/* Learning-rate schedules, by the step. */
#include "optim/schedule.h"

#include <math.h>

#include "elmpi/optim.h"

/* Epochs are decimal fractions in binary: 0.7 epochs of 10 steps are 7.000000000000001 steps,
 * and mean 7. */
static const double tolerance = 1e-6;

static double constant(const elm_optim_options *options, int64_t step, int64_t steps_per_epoch)
{
    (void)options, (void)step, (void)steps_per_epoch;
    return 1;
}

static double multistep(const elm_optim_options *options, int64_t step, int64_t steps_per_epoch)
{
    double factor = 1;
    for (int m = 0; m < options->milestones.count; m++)
        if ((double)step >= options->milestones.value[m] * (double)steps_per_epoch - tolerance)
            factor *= options->gamma;
    return factor;
}

bool elm_lr_depends_on_length(const elm_optim_options *options)
{
    return options->schedule == ELM_SCHEDULE_COSINE;
}

static double cosine(const elm_optim_options *options, int64_t step, int64_t steps_per_epoch)
{
    static const double pi = 3.14159265358979323846;
    return (1 + cos(pi * (double)step / (double)elm_schedule_steps(options, steps_per_epoch))) / 2;
}

static double (*const factors[])(const elm_optim_options *, int64_t, int64_t) = {
    [ELM_SCHEDULE_CONSTANT] = constant,
    [ELM_SCHEDULE_MULTISTEP] = multistep,
    [ELM_SCHEDULE_COSINE] = cosine,
};

double elm_schedule_lr(const elm_optim_options *options, int64_t step, int64_t steps_per_epoch)
{
    const double warmup = options->warmup_epochs * (double)steps_per_epoch,
                 begun = (double)step + 1;
    const double warm = begun < warmup ? begun / warmup : 1;
    return options->lr * warm * factors[options->schedule](options, step, steps_per_epoch);
}

int64_t elm_schedule_steps(const elm_optim_options *options, int64_t steps_per_epoch)
{
    const int64_t steps = (int64_t)ceil(options->epochs * (double)steps_per_epoch - tolerance);
    return steps > 1 ? steps : 1;
}
