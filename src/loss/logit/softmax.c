#include "loss/logit/softmax.h"

#include <math.h>

#include "elmpi/memory.h"
#include "loss/logit/smoothing.h"

void elm_softmax_destroy(void *softmax)
{
    elm_softmax *s = softmax;
    if (!s)
        return;
    elm_free(s->shift);
    elm_free(s->label_shift);
    elm_free(s->smoothing);
    elm_free(s->dropped);
    elm_free(s->row_loss);
    elm_free(s);
}

int elm_softmax_create(elm_softmax **softmax, const elm_loss_setup *setup, elm_error *err)
{
    const size_t classes = (size_t)setup->counts.classes;
    elm_softmax *s = elm_alloc(1, sizeof *s, err);
    *softmax = NULL;
    if (!s)
        return -1;
    *s = (elm_softmax){.scale = 1};
    s->shift = elm_alloc(classes, sizeof *s->shift, err);
    s->label_shift = s->shift ? elm_alloc(classes, sizeof *s->label_shift, err) : NULL;
    s->row_loss =
        s->label_shift ? elm_alloc((size_t)setup->max_local, sizeof *s->row_loss, err) : NULL;
    if (!s->row_loss || elm_smoothing_create(&s->smoothing, setup, err)) {
        elm_softmax_destroy(s);
        return -1;
    }
    *softmax = s;
    return 0;
}

/* One image. */
typedef struct row {
    const float *logits;
    float *gradient;
    const unsigned char *dropped; /* [classes] or NULL */
    int classes;
    int32_t label;
    double inner; /* the image's weight, if it weighs already inside p; else 1 */
} row;

static double z_of(const elm_softmax *s, const row *r, int c)
{
    return s->scale * (double)r->logits[c] + s->shift[c] + (c == r->label ? s->label_shift[c] : 0);
}

static double log_sum(const elm_softmax *s, const row *r)
{
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < r->classes; c++) {
        const double z = z_of(s, r, c);
        largest = z > largest && !(r->dropped && r->dropped[c]) ? z : largest;
    }
    for (int c = 0; c < r->classes; c++)
        if (!(r->dropped && r->dropped[c]))
            sum += exp(z_of(s, r, c) - largest);
    return largest + log(sum);
}

/* The focal loss (1 - p)^gamma l of a cross-entropy l = -log p; *slope is its derivative by l. l
 * / (1 - p) tends to 1 as p does. */
static double focal(double l, double gamma, double *slope)
{
    const double miss = -expm1(-l), power = pow(miss, gamma);
    *slope = power * (gamma * exp(-l) * (miss > 0 ? l / miss : 1) + 1);
    return power * l;
}

/* Loss of one image; adds `weight` times its gradient. */
static double evaluate_row(const elm_softmax *s, const row *r, double weight)
{
    const double sum = log_sum(s, r), l = sum - z_of(s, r, r->label);
    double slope = 1, loss = l;
    if (s->gamma != 0)
        loss = focal(r->inner * (l < 0 ? 0 : l), s->gamma, &slope) / r->inner;
    const double factor = weight * slope * s->scale;
    for (int c = 0; c < r->classes; c++)
        if (!(r->dropped && r->dropped[c]))
            r->gradient[c] += (float)(factor * (exp(z_of(s, r, c) - sum) - (c == r->label)));
    return loss;
}

/* The same with a label of which the share `even` is spread over all classes. */
static double evaluate_smoothed_row(const elm_softmax *s, const row *r, double even, double weight)
{
    const double sum = log_sum(s, r), part = even / r->classes, factor = weight * s->scale;
    double loss = (1 - even) * (sum - z_of(s, r, r->label));
    for (int c = 0; c < r->classes; c++) {
        const double z = z_of(s, r, c), target = part + (c == r->label ? 1 - even : 0);
        loss += part * (sum - z);
        r->gradient[c] += (float)(factor * (exp(z - sum) - target));
    }
    return loss;
}

elm_loss_value elm_softmax_sum(const elm_softmax *s, const elm_loss_batch *batch)
{
    elm_loss_value value = {0};
    for (int i = 0; i < batch->local; i++)
        value.loss += s->row_loss[i] * elm_loss_share(batch, batch->labels[i]);
    return value;
}

elm_loss_value elm_softmax_evaluate(void *softmax, const elm_loss_batch *batch, double weight)
{
    const elm_softmax *s = softmax;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch->local; i++) {
        const size_t start = (size_t)i * (size_t)batch->classes;
        const row r = {
            batch->logits + start,
            batch->logits_gradient + start,
            s->dropped ? s->dropped + start : NULL,
            batch->classes,
            batch->labels[i],
            s->weigh_first && batch->class_weights ? batch->class_weights[batch->labels[i]] : 1};
        const double share = weight * elm_loss_share(batch, r.label);
        s->row_loss[i] = s->smoothing ? evaluate_smoothed_row(s, &r, s->smoothing[r.label], share)
                                      : evaluate_row(s, &r, share);
    }
    return elm_softmax_sum(s, batch);
}
