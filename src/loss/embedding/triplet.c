/* triplet: with products s_ij = Phi_i . Phi_j, anchor i, p another image of its class and n one of
 * another class,
 *
 *   all:     mean over all (i, p, n) of [margin + s_in - s_ip]_+
 *   hardest: mean over all i that have a p and an n of [margin + max_n s_in - min_p s_ip]_+
 *            (of equals the first)
 *
 * The mean runs over all triplets of the global batch, those without loss included. A triplet at
 * the corner of [.]_+ has no slope.
 *
 * Cost: that of all pairs (pairwise.h) and one comparison a triplet, rows * positives * negatives
 * (at most 1.6e8 for 1024 rows of two or more classes; every rank makes all of them), which give
 * the number of triplets of i in which p and n count. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/pairwise.h"

enum { ALL, HARDEST }; /* loss.triplet.mining */

typedef struct triplet {
    double margin;
    bool hardest;
    elm_pairs *pairs;
    double *slope; /* [rows][rows] before they take the products' place */
} triplet;

static void triplet_destroy(void *state)
{
    triplet *t = state;
    if (!t)
        return;
    elm_pairs_destroy(t->pairs);
    elm_free(t->slope);
    elm_free(t);
}

static int triplet_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    triplet *t = elm_alloc(1, sizeof *t, err);
    const size_t rows = (size_t)setup->max_rows;
    *state = NULL;
    if (!t)
        return -1;
    *t = (triplet){.margin = setup->options->triplet_margin,
                   .hardest = setup->options->triplet_mining == HARDEST};
    if (elm_pairs_create(&t->pairs, setup, false, err) ||
        !(t->slope = elm_alloc(rows * rows, sizeof *t->slope, err))) {
        triplet_destroy(t);
        return -1;
    }
    *state = t;
    return 0;
}

/* All triplets of anchor i: their loss, and in `slope` how many pull at each row. */
static double all_triplets(const triplet *t, int i, double *slope)
{
    const elm_global_batch *r = t->pairs->rows;
    const double *pair = elm_pairs_of(t->pairs, i);
    const int slot = r->slot[r->label[i]];
    double loss = 0;
    for (int m = r->start[slot]; m < r->start[slot + 1]; m++) {
        const int p = r->member[m];
        const double base = t->margin - pair[p];
        double sum = 0, active = 0;
        if (p == i)
            continue;
#pragma omp simd reduction(+ : sum, active)
        for (int n = 0; n < r->count; n++) {
            const double excess = base + pair[n];
            /* NaN is on, and stays */
            const double on = r->label[n] != r->label[i] && !(excess <= 0) ? 1 : 0;
            sum += on != 0 ? excess : 0;
            active += on;
            slope[n] += on;
        }
        slope[p] -= active;
        loss += sum;
    }
    return loss;
}

static double hardest_triplet(const triplet *t, int i, double *slope)
{
    const elm_global_batch *r = t->pairs->rows;
    const double *pair = elm_pairs_of(t->pairs, i);
    int positive = -1, negative = -1;
    for (int j = 0; j < r->count; j++) {
        if (r->label[j] != r->label[i])
            negative = negative < 0 || pair[j] > pair[negative] ? j : negative;
        else if (j != i)
            positive = positive < 0 || pair[j] < pair[positive] ? j : positive;
    }
    const double excess =
        positive < 0 || negative < 0 ? 0 : t->margin + pair[negative] - pair[positive];
    if (excess <= 0)
        return 0;
    slope[negative] += 1;
    slope[positive] -= 1;
    return excess;
}

/* How many terms the mean has. */
static double count_terms(const triplet *t)
{
    const elm_global_batch *r = t->pairs->rows;
    double count = 0;
    for (int s = 0; s < r->present; s++) {
        const double members = elm_global_batch_members(r, s), others = r->count - members;
        count += t->hardest ? (members > 1 && others > 0 ? members : 0)
                            : members * (members - 1) * others;
    }
    return count;
}

static elm_loss_value triplet_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    triplet *t = state;
    const elm_global_batch *r = t->pairs->rows;
    elm_pairs_collect(t->pairs, batch);
    memset(t->slope, 0, (size_t)r->count * (size_t)r->count * sizeof *t->slope);
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < r->count; i++) {
        double *slope = t->slope + (size_t)i * (size_t)r->count;
        t->pairs->row_loss[i] =
            t->hardest ? hardest_triplet(t, i, slope) : all_triplets(t, i, slope);
        /* no other anchor reads this row */
        memcpy(elm_pairs_of(t->pairs, i), slope, (size_t)r->count * sizeof *slope);
    }
    double sum = 0;
    for (int i = 0; i < r->count; i++)
        sum += t->pairs->row_loss[i];
    const double terms = count_terms(t), per_term = terms > 0 ? 1 / terms : 0;
    elm_pairs_add_gradient(t->pairs, batch, weight * elm_global_batch_share(batch) * per_term);
    return elm_global_batch_tell(r, batch, sum * per_term);
}

const elm_loss_row elm_loss_triplet = {
    .name = "triplet",
    .formula = "mean over triplets of [margin + Phi.Phi- - Phi.Phi+]_+",
    .source =
        "Weinberger and Saul 2009, Schroff et al. 2015; as in Jitkrittum et al. 2022, section 3.2",
    .help = "an image is more like each of its class than like any other, by a margin; over all "
            "triplets of the batch or each anchor's "
            "hardest",
    .needs = elm_loss_needs_everything,
    .create = triplet_create,
    .evaluate = triplet_evaluate,
    .destroy = triplet_destroy,
};
