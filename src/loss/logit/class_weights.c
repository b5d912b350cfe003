#include "loss/logit/class_weights.h"

#include <math.h>

#include "elmpi/memory.h"

enum { AUTO, NONE, CLASS_BALANCED, DRW, FREQUENCY }; /* loss.weights */

struct elm_class_weights {
    double *weight; /* [classes] */
    double from;    /* epoch */
    bool per_image; /* the divisor is the number of images */
};

/* 1 - b^n loses all its digits for b near 1; expm1 keeps them. */
static double balanced(double beta, int64_t count)
{
    if (count <= 0)
        return 0;
    return beta < 1 ? (1 - beta) / -expm1((double)count * log(beta)) : 1 / (double)count;
}

static void fill_frequency(elm_class_weights *w, elm_class_counts counts)
{
    double most = 1;
    for (int c = 0; c < counts.classes; c++)
        most = fmax(most, (double)counts.count[c]);
    for (int c = 0; c < counts.classes; c++)
        w->weight[c] = (double)counts.count[c] / most;
}

static void fill_balanced(elm_class_weights *w, double beta, elm_class_counts counts)
{
    double sum = 0;
    for (int c = 0; c < counts.classes; c++)
        sum += w->weight[c] = balanced(beta, counts.count[c]);
    for (int c = 0; c < counts.classes && sum > 0; c++)
        w->weight[c] *= (double)counts.classes / sum;
}

int elm_class_weights_create(elm_class_weights **weights, const elm_loss_row *row,
                             const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    *weights = NULL;
    if (o->weights == NONE || (o->weights == AUTO && !row->balanced))
        return 0;
    elm_class_weights *w = elm_alloc(1, sizeof *w, err);
    if (!w)
        return -1;
    *w = (elm_class_weights){.from = o->weights == DRW ? o->weights_epoch : 0,
                             .per_image = row->per_image};
    w->weight = elm_alloc((size_t)setup->counts.classes, sizeof *w->weight, err);
    if (!w->weight) {
        elm_class_weights_destroy(w);
        return -1;
    }
    if (o->weights == FREQUENCY)
        fill_frequency(w, setup->counts);
    else
        fill_balanced(w, o->weights_beta, setup->counts);
    *weights = w;
    return 0;
}

void elm_class_weights_destroy(elm_class_weights *w)
{
    if (!w)
        return;
    elm_free(w->weight);
    elm_free(w);
}

void elm_class_weights_apply(const elm_class_weights *w, elm_loss_batch *batch)
{
    static const double tolerance = 1e-9; /* epochs passed are a quotient */
    batch->class_weights = NULL;
    batch->divisor = (double)batch->global;
    if (!w || batch->moment.passed + tolerance < w->from)
        return;
    batch->class_weights = w->weight;
    if (w->per_image)
        return;
    batch->divisor = 0;
    for (int64_t i = 0; i < batch->global; i++)
        batch->divisor += w->weight[batch->global_labels[i]];
}
