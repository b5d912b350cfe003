#include "loss/softmax.h"

#include <math.h>

#include "elmpi/memory.h"

struct elm_softmax {
    double *shift;    /* [classes], added to the logits */
    double *row_loss; /* [max_local]: summed in order afterwards, whoever computed them */
};

void elm_softmax_destroy(void *softmax)
{
    elm_softmax *s = softmax;
    if (!s)
        return;
    elm_free(s->shift);
    elm_free(s->row_loss);
    elm_free(s);
}

int elm_softmax_create(elm_softmax **softmax, const elm_loss_setup *setup, double **shift, elm_error *err)
{
    elm_softmax *s = elm_alloc(1, sizeof *s, err);
    *softmax = NULL;
    if (!s)
        return -1;
    s->shift = elm_alloc((size_t)setup->counts.classes, sizeof *s->shift, err);
    s->row_loss = s->shift ? elm_alloc((size_t)setup->max_local, sizeof *s->row_loss, err) : NULL;
    if (!s->row_loss) {
        elm_softmax_destroy(s);
        return -1;
    }
    if (shift)
        *shift = s->shift;
    *softmax = s;
    return 0;
}

/* Loss of one image; adds scale (softmax - onehot) to its gradient. */
static double evaluate_row(const float *logits, const double *shift, int classes, int32_t label, double scale, float *gradient)
{
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++) {
        const double z = logits[c] + shift[c];
        largest = z > largest ? z : largest;
    }
    for (int c = 0; c < classes; c++)
        sum += exp(logits[c] + shift[c] - largest);
    const double log_sum = largest + log(sum);
    for (int c = 0; c < classes; c++)
        gradient[c] += (float)(scale * (exp(logits[c] + shift[c] - log_sum) - (c == label)));
    return log_sum - (logits[label] + shift[label]);
}

elm_loss_value elm_softmax_evaluate(void *softmax, const elm_loss_batch *batch, double weight)
{
    const elm_softmax *s = softmax;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < batch->local; i++) {
        const size_t row = (size_t)i * (size_t)batch->classes;
        s->row_loss[i] = evaluate_row(batch->logits + row, s->shift, batch->classes, batch->labels[i],
                                      weight * elm_loss_share(batch, batch->labels[i]), batch->logits_gradient + row);
    }
    elm_loss_value value = {0};
    for (int i = 0; i < batch->local; i++)
        value.loss += s->row_loss[i] * elm_loss_share(batch, batch->labels[i]);
    return value;
}
