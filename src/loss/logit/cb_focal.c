/* cb-focal: the class-balanced focal loss. Its weights come by loss.weights = auto; the weighted
 * sum is divided by the number of positives, one an image. */
#include <math.h>

#include "elmpi/memory.h"
#include "loss/logit/softmax.h"

enum { SIGMOID, SOFTMAX, SOFTMAX_PUBLIC }; /* loss.cb-focal.variant */

typedef struct focal {
    bool sigmoid;
    double gamma;
    elm_softmax *softmax; /* sigmoid: only its rows' sum is used */
} focal;

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

/* Loss of one binary decision with z the logit of what is true: q^gamma (-log(1 - q)), q =
 * sigmoid(-z) the probability of an error, taken through logarithms so that nothing overflows.
 * *slope is its derivative by z. */
static double decide(double z, double gamma, double *slope)
{
    const double l = softplus(-z), log_q = -softplus(z),
                 power = gamma != 0 ? exp(gamma * log_q) : 1;
    *slope = -power * (gamma * exp(-l) * l + exp(log_q));
    return power * l;
}

static double evaluate_row(const float *logits, int classes, int32_t label, double gamma,
                           double weight, float *gradient)
{
    double loss = 0;
    for (int c = 0; c < classes; c++) {
        const double sign = c == label ? 1 : -1;
        double slope;
        loss += decide(sign * (double)logits[c], gamma, &slope);
        gradient[c] += (float)(weight * sign * slope);
    }
    return loss;
}

static elm_loss_value cb_focal_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    const focal *f = state;
    if (!f->sigmoid)
        return elm_softmax_evaluate(f->softmax, batch, weight);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch->local; i++) {
        const size_t start = (size_t)i * (size_t)batch->classes;
        f->softmax->row_loss[i] = evaluate_row(
            batch->logits + start, batch->classes, batch->labels[i], f->gamma,
            weight * elm_loss_share(batch, batch->labels[i]), batch->logits_gradient + start);
    }
    return elm_softmax_sum(f->softmax, batch);
}

static void cb_focal_destroy(void *state)
{
    focal *f = state;
    if (!f)
        return;
    elm_softmax_destroy(f->softmax);
    elm_free(f);
}

static int cb_focal_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    *state = NULL;
    focal *f = elm_alloc(1, sizeof *f, err);
    if (!f)
        return -1;
    *f = (focal){.sigmoid = o->cb_focal_variant == SIGMOID, .gamma = o->cb_focal_gamma};
    if (elm_softmax_create(&f->softmax, setup, err)) {
        cb_focal_destroy(f);
        return -1;
    }
    f->softmax->gamma = f->gamma;
    f->softmax->weigh_first = o->cb_focal_variant == SOFTMAX_PUBLIC;
    *state = f;
    return 0;
}

/* Every class begins with probability 1/L: otherwise the many negatives dominate the first
 * steps. */
static elm_loss_head head(const elm_loss_options *options, int classes)
{
    if (options->cb_focal_variant != SIGMOID || classes < 2)
        return (elm_loss_head){0};
    return (elm_loss_head){.bias_is_set = true, .bias = -log(classes - 1)};
}

const elm_loss_row elm_loss_cb_focal = {
    .name = "cb-focal",
    .formula = "w_y sum over classes c of q_c^gamma (-log(1 - q_c)), q_y = 1 - sigmoid(f_y), else "
               "q_c = sigmoid(f_c); softmax: "
               "w_y (1 - p_y)^gamma (-log p_y)",
    .source = "Cui et al. 2019, Class-balanced loss based on effective number of samples; variants "
              "softmax: Cao et al. 2019",
    .help = "focal loss with class-balanced weights, divided by the images; variant softmax-public "
            "takes e^(-w CE) for p, as the public "
            "LDAM-DRW code does",
    .head = head,
    .balanced = true,
    .per_image = true,
    .unsmoothed = "its focal factor is the probability that one right class misses",
    .create = cb_focal_create,
    .evaluate = cb_focal_evaluate,
    .destroy = cb_focal_destroy,
};
