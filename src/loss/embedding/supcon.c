/* supcon: with z = Phi / |Phi|, s_ij = z_i . z_j / temperature, P(i) the other images of i's class
 * and A(i) all others,
 *
 *   L_i = mean over p in P(i) of (log sum_{a in A(i)} exp s_ia - s_ip), 0 if P(i) is empty
 *
 *   dL_i/ds_ij = softmax over A(i) of s_ij - [j in P(i)] / |P(i)|
 *
 * Cost: that of all pairs, see pairwise.h. */
#include "loss/embedding/supcon.h"

#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/pairwise.h"

typedef struct supcon {
    double temperature;
    elm_pairs *pairs;
} supcon;

void elm_supcon_destroy(void *state)
{
    supcon *s = state;
    if (!s)
        return;
    elm_pairs_destroy(s->pairs);
    elm_free(s);
}

int elm_supcon_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    supcon *s = elm_alloc(1, sizeof *s, err);
    *state = NULL;
    if (!s)
        return -1;
    s->temperature = setup->options->supcon_temperature;
    if (elm_pairs_create(&s->pairs, setup, true, err)) {
        elm_supcon_destroy(s);
        return -1;
    }
    *state = s;
    return 0;
}

/* Loss of anchor i; its products become derivatives by them, without the common 1 / temperature. */
static double find_anchor(const supcon *s, int i)
{
    const elm_global_batch *r = s->pairs->rows;
    double *pair = elm_pairs_of(s->pairs, i), peak = -INFINITY, sum = 0, positives = 0;
    const int others = elm_global_batch_mates(r, i) - 1;
    if (others == 0) {
        memset(pair, 0, (size_t)r->count * sizeof *pair);
        return 0;
    }
    for (int j = 0; j < r->count; j++) {
        pair[j] /= s->temperature;
        peak = j != i && pair[j] > peak ? pair[j] : peak;
    }
    for (int j = 0; j < r->count; j++)
        if (j != i) {
            sum += exp(pair[j] - peak);
            positives += r->label[j] == r->label[i] ? pair[j] - peak : 0;
        }
    for (int j = 0; j < r->count; j++)
        pair[j] = j == i
                      ? 0
                      : exp(pair[j] - peak) / sum - (r->label[j] == r->label[i] ? 1.0 / others : 0);
    return log(sum) - positives / others;
}

elm_loss_value elm_supcon_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    const supcon *s = state;
    const elm_global_batch *r = s->pairs->rows;
    elm_pairs_collect(s->pairs, batch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->count; i++)
        s->pairs->row_loss[i] = find_anchor(s, i);
    elm_pairs_add_gradient(s->pairs, batch, weight / (s->temperature * (double)batch->global));
    return elm_global_batch_mean(r, batch, s->pairs->row_loss + r->first);
}

const elm_loss_row elm_loss_supcon = {
    .name = "supcon",
    .formula = "mean over same-class p of -log(exp(z.z_p / t) / sum over others a of exp(z.z_a / "
               "t)), z = Phi / |Phi|",
    .source = "Khosla et al. 2020, Supervised contrastive learning",
    .help = "supervised contrastive: an image is more like those of its class than like all "
            "others; one view of each image",
    .needs = elm_loss_needs_everything,
    .create = elm_supcon_create,
    .evaluate = elm_supcon_evaluate,
    .destroy = elm_supcon_destroy,
};
