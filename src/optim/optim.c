#include "elmpi/optim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "optim/optimizers.h"
#include "optim/schedule.h"

/* The defaults are the paper's set-up for CIFAR-LT (Table 3), as the default network is its
 * ResNet-32. */
#define ROW(key, type, member, default_text, min, max, choices, used_if, help)                     \
    {                                                                                              \
        "optim." key, type, offsetof(elm_optim_options, member), default_text, min, max, choices,  \
            NULL, used_if, help                                                                    \
    }

const elm_option elm_optim_option_rows[] = {
    ROW("epochs", ELM_OPTION_REAL, epochs, "256", 1e-6, 1e6, NULL, NULL,
        "length of the run; fractions count. A resumed run may change it, unless something follows "
        "the whole length: schedule cosine, "
        "sampler "
        "progressive, loss hybrid-sc"),
    ROW("batch", ELM_OPTION_INT, batch, "128", 1, 1 << 30, NULL, NULL,
        "images of the global batch, shared by all ranks"),
    ROW("accumulate", ELM_OPTION_INT, accumulate, "1", 1, 1 << 20, NULL, NULL,
        "compute each global batch in so many parts, one after another, and update once: large "
        "batches on few nodes. The loss is still the "
        "mean over the whole batch, but BatchNorm and the pairs of embedding terms see only the "
        "images of one part"),
    ROW("name", ELM_OPTION_CHOICE, optimizer, "sgd", 0, 0, ELM_OPTIMIZER_NAMES, NULL,
        "optimizer: what a step does with the gradient (see methods.md). What losses learn of "
        "their own follows plain steps at the same rate"),
    ROW("lr", ELM_OPTION_REAL, lr, "0.4", 0, 1e6, NULL, NULL,
        "base learning rate for the global batch"),
    ROW("momentum", ELM_OPTION_REAL, momentum, "0.9", 0, 1, NULL, "optim.name=sgd|lars",
        "mu in v = mu v + g"),
    ROW("nesterov", ELM_OPTION_BOOL, nesterov, "false", 0, 0, NULL, "optim.name=sgd",
        "step along g + mu v in place of v"),
    ROW("weight_decay", ELM_OPTION_REAL, weight_decay, "1e-4", 0, 1e6, NULL, NULL,
        "added to the gradient: g += weight_decay w; adamw: apart from it, w -= lr weight_decay w"),
    ROW("beta1", ELM_OPTION_REAL, beta1, "0.9", 0, 0.999999, NULL, "optim.name=adamw",
        "share of the old in the running mean of gradients"),
    ROW("beta2", ELM_OPTION_REAL, beta2, "0.999", 0, 0.999999, NULL, "optim.name=adamw",
        "share of the old in the running mean of their squares"),
    ROW("epsilon", ELM_OPTION_REAL, epsilon, "1e-8", 1e-15, 1, NULL, "optim.name=adamw",
        "added to the root of the squares' mean"),
    ROW("trust", ELM_OPTION_REAL, trust, "0.001", 1e-9, 1e6, NULL, "optim.name=lars",
        "eta of the local rate lambda = eta |w| / (|g| + weight_decay |w|)"),
    ROW("decay_bn", ELM_OPTION_BOOL, decay_bn, "false", 0, 0, NULL, NULL,
        "decay BatchNorm's scale and shift too (biases are decayed always)"),
    ROW("schedule", ELM_OPTION_CHOICE, schedule, "multistep", 0, 0, ELM_SCHEDULE_NAMES, NULL,
        "what happens to the rate after the warm-up"),
    ROW("warmup_epochs", ELM_OPTION_REAL, warmup_epochs, "15", 0, 1e6, NULL, NULL,
        "linear warm-up from 0 to the base rate; 0: none"),
    ROW("milestones", ELM_OPTION_REALS, milestones, "96,192,224", 0, 1e6, NULL,
        "optim.schedule=multistep", "epochs from which the rate is multiplied by gamma once more"),
    ROW("gamma", ELM_OPTION_REAL, gamma, "0.1", 0, 1e6, NULL, "optim.schedule=multistep",
        "factor at each milestone"),
    ROW("clip_norm", ELM_OPTION_REAL, clip_norm, "0", 0, 1e30, NULL, NULL,
        "shorten the gradient of all weights that learn, as one vector, to this length where it is "
        "longer (PyTorch's clip_grad_norm_), "
        "before "
        "weight decay; 0: never"),
    ROW("ema", ELM_OPTION_REAL, ema, "0", 0, 0.9999999, NULL, NULL,
        "decay d of the weights' exponential moving average, kept beside them and in checkpoints: "
        "a += (1 - d) (w - a) after every step, for BatchNorm's running means and variances "
        "alike, from the first weights on (Tarvainen and Valpola 2017). Training does not read "
        "it; elmpi-evaluate, elmpi-predict and elmpi-export take it with --weights ema. Choose d "
        "so that 1 / (1 - d) steps are a few epochs; 0: none"),
    {0},
};

int elm_optim_check(const elm_optim_options *options, elm_error *err)
{
    if (options->accumulate <= options->batch)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "a batch of %lld images cannot be cut into %lld parts (optim.batch, "
                         "optim.accumulate): give fewer parts",
                         (long long)options->batch, (long long)options->accumulate);
}

void elm_optim_beyond(const elm_optim_options *options, char *text, size_t size_bytes)
{
    size_t used = 0;
    bool begun = false;
    *text = 0;
    if (options->warmup_epochs > options->epochs)
        used +=
            (size_t)snprintf(text, size_bytes, "optim.warmup_epochs %.10g", options->warmup_epochs);
    for (int m = 0; options->schedule == ELM_SCHEDULE_MULTISTEP && m < options->milestones.count &&
                    used < size_bytes;
         m++)
        if (options->milestones.value[m] >= options->epochs) {
            used += (size_t)snprintf(text + used, size_bytes - used, "%s%.10g",
                                     begun      ? ","
                                     : used > 0 ? ", optim.milestones "
                                                : "optim.milestones ",
                                     options->milestones.value[m]);
            begun = true;
        }
}

int64_t elm_optim_microbatch(const elm_optim_options *options)
{
    return (options->batch + options->accumulate - 1) / options->accumulate;
}

int64_t elm_optim_microbatches(const elm_optim_options *options)
{
    const int64_t part = elm_optim_microbatch(options);
    return (options->batch + part - 1) / part;
}
