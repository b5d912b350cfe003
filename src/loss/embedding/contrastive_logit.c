/* contrastive-logit: the logit f_y of an image of class y is to exceed that of all images of other
 * classes:
 *
 *   L_i = log(1 + sum over j of other classes of exp(f_y(x_j) - f_y(x_i)))
 *
 * The sum over the others depends on i only through its class: with N_c = log sum_{j not in c} exp
 * f_c(x_j), p_i = sigmoid(N_y - f_y(x_i)) and P_c = sum of p_i over the images of c,
 *
 *   dL_i/df_y(x_i) = -p_i,  dL/df_c(x_j) = P_c exp(f_c(x_j) - N_c) for j of another class than c
 *
 * The gradient goes to the logits, before the network's backward pass begins. Cost: rows *
 * classes present exponentials. */
#include <math.h>

#include "elmpi/memory.h"
#include "loss/embedding/global_batch.h"

typedef struct contrastive {
    elm_global_batch *rows;
    /* [classes present][max_rows] f_c(x_j), then (as far as j is no member of c) the derivative */
    double *logit;
    double *row_loss; /* [max_rows] */
} contrastive;

static void contrastive_logit_destroy(void *state)
{
    contrastive *t = state;
    if (!t)
        return;
    elm_global_batch_destroy(t->rows);
    elm_free(t->logit);
    elm_free(t->row_loss);
    elm_free(t);
}

static int contrastive_logit_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    contrastive *t = elm_alloc(1, sizeof *t, err);
    const size_t classes = (size_t)setup->counts.classes, rows = (size_t)setup->max_rows,
                 present = rows < classes ? rows : classes;
    *state = NULL;
    if (!t)
        return -1;
    const elm_need needs[] = {{&t->logit, present * rows, sizeof *t->logit},
                              {&t->row_loss, rows, sizeof *t->row_loss}};
    if (elm_global_batch_create(&t->rows, setup, false, err) ||
        elm_alloc_each(needs, sizeof needs / sizeof *needs, err)) {
        contrastive_logit_destroy(t);
        return -1;
    }
    *state = t;
    return 0;
}

static double *logits_of(const contrastive *t, int slot)
{
    return t->logit + (size_t)slot * (size_t)t->rows->max_rows;
}

/* The logits of one class, from ours and from those that came, whose columns are the classes
 * that occur, as the rows' slots are. */
static void take_class(contrastive *t, const elm_loss_batch *b, int slot)
{
    const elm_global_batch *r = t->rows;
    double *to = logits_of(t, slot);
    for (int j = 0; j < b->remote; j++)
        to[j < r->first ? j : j + r->local] =
            (double)b->remote_logits[(size_t)j * (size_t)b->present + (size_t)slot];
    for (int i = 0; i < r->local; i++)
        to[r->first + i] =
            (double)b->logits[(size_t)i * (size_t)b->classes + (size_t)r->class[slot]];
}

/* Loss of the class's images, and the derivatives by its column of logits in their place. The
 * largest of the others' logits is taken out of the sum, and log(1 + e^t) is written so that no
 * exponential overflows. */
static void find_class(contrastive *t, int slot)
{
    const elm_global_batch *r = t->rows;
    const int32_t c = r->class[slot];
    double *f = logits_of(t, slot), peak = -INFINITY, sum = 0, all = 0;
    /* no others: nothing to exceed */
    const bool alone = elm_global_batch_members(r, slot) == r->count;
    for (int j = 0; j < r->count; j++)
        peak = r->label[j] != c && f[j] > peak ? f[j] : peak;
    for (int j = 0; j < r->count; j++)
        sum += r->label[j] != c ? exp(f[j] - peak) : 0;
    const double log_sum = log(sum);
    for (int m = r->start[slot]; m < r->start[slot + 1]; m++) {
        const int i = r->member[m];
        const double excess = alone ? -INFINITY : peak - f[i] + log_sum, p = 1 / (1 + exp(-excess));
        t->row_loss[i] = excess > 0 ? excess + log1p(exp(-excess)) : log1p(exp(excess));
        all += p;
        f[i] = -p;
    }
    for (int j = 0; j < r->count; j++)
        f[j] = r->label[j] != c ? all * exp(f[j] - peak) / sum : f[j];
}

static void add_gradient(const contrastive *t, const elm_loss_batch *b, double scale, int i)
{
    const elm_global_batch *r = t->rows;
    float *to = b->logits_gradient + (size_t)i * (size_t)b->classes;
    for (int s = 0; s < r->present; s++)
        to[r->class[s]] += (float)(scale * logits_of(t, s)[r->first + i]);
}

static elm_loss_value contrastive_logit_evaluate(void *state, const elm_loss_batch *batch,
                                                 double weight)
{
    contrastive *t = state;
    const elm_global_batch *r = t->rows;
    elm_global_batch_collect(t->rows, batch);
#pragma omp parallel for schedule(static)
    for (int s = 0; s < r->present; s++) {
        take_class(t, batch, s);
        find_class(t, s);
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->local; i++)
        add_gradient(t, batch, weight / (double)batch->global, i);
    return elm_global_batch_mean(r, batch, t->row_loss + r->first);
}

static void contrastive_logit_needs(const elm_loss_options *options, elm_loss_needs *needs)
{
    elm_loss_needs_everything(options, needs);
    needs->logits = true;
}

const elm_loss_row elm_loss_contrastive_logit = {
    .name = "contrastive-logit",
    .formula = "log(1 + sum over images x- of other classes of exp(f_y(x-) - f_y(x)))",
    .source = "Liu and Abbeel 2020, Hybrid discriminative-generative training via contrastive "
              "learning; as in Jitkrittum et al. 2022",
    .help = "the logit of a class is larger for its own images than for all others of the batch",
    .needs = contrastive_logit_needs,
    .create = contrastive_logit_create,
    .evaluate = contrastive_logit_evaluate,
    .destroy = contrastive_logit_destroy,
};
