/* range: with D the squared distances between two images of a class, the k = 2 largest of them D_1,
 * D_2 (one pair: k = 1), and mu_c the mean of the batch's images of class c,
 *
 *   intra * sum over classes with two members or more of k / sum_{j <= k} 1/D_j
 *   + inter * [margin - min over c != c' |mu_c - mu_c'|^2]_+
 *
 * D is floored at 1e-12, where it has no slope. Classes of one image have no D but do have a mean;
 * with fewer than two classes the second part is 0. Of equal distances the first in the order of
 * rows counts. One number for the whole batch. With H = k / sum 1/D_j:
 *
 *   dH/dD_j = H^2 / (k D_j^2), dD/dPhi_i = 2 (Phi_i - Phi_j),
 *   d|mu_c - mu_c'|^2/dPhi_i = 2 (mu_c - mu_c') / members of c
 *
 * Cost: every rank computes all pairs within classes and all pairs of classes, (sum of members^2
 * + classes^2) / 2 * width differences (B = 1024, 800 classes, width 2048: 7e8). */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/global_batch.h"

static const double distance_min = 1e-12;

enum { LARGEST = 2 }; /* k */

/* The largest distances within a class, descending, and whose they are. */
typedef struct farthest {
    int count;
    double distance[LARGEST];
    int row[LARGEST][2];
} farthest;

/* The nearest class of those further down the list. */
typedef struct nearest {
    double distance;
    int slot;
} nearest;

typedef struct range {
    double intra, inter, margin;
    elm_global_batch *rows;
    double *mean;       /* [classes present][width] */
    farthest *farthest; /* [classes present] */
    nearest *nearest;   /* [classes present] */
} range;

static void range_destroy(void *state)
{
    range *t = state;
    if (!t)
        return;
    elm_global_batch_destroy(t->rows);
    elm_free(t->mean);
    elm_free(t->farthest);
    elm_free(t->nearest);
    elm_free(t);
}

static int range_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    range *t = elm_alloc(1, sizeof *t, err);
    *state = NULL;
    if (!t)
        return -1;
    *t = (range){.intra = o->range_intra, .inter = o->range_inter, .margin = o->range_margin};
    const size_t classes = (size_t)setup->counts.classes, rows = (size_t)setup->max_rows,
                 present = rows < classes ? rows : classes;
    const elm_need needs[] = {
        {&t->mean, present * (size_t)setup->width, sizeof *t->mean},
        {&t->farthest, present, sizeof *t->farthest},
        {&t->nearest, present, sizeof *t->nearest},
    };
    if (elm_global_batch_create(&t->rows, setup, false, err) ||
        elm_alloc_each(needs, sizeof needs / sizeof *needs, err)) {
        range_destroy(t);
        return -1;
    }
    *state = t;
    return 0;
}

/* Keeps the list descending. A distance that is not a number goes to the front, so that the loss
 * is none either. */
static void insert(farthest *f, double distance, int a, int b)
{
    int at = f->count < LARGEST ? f->count++ : LARGEST;
    for (; at > 0 && (distance > f->distance[at - 1] || isnan(distance)); at--)
        if (at < LARGEST) {
            f->distance[at] = f->distance[at - 1];
            memcpy(f->row[at], f->row[at - 1], sizeof f->row[at]);
        }
    if (at < LARGEST) {
        f->distance[at] = distance;
        f->row[at][0] = a;
        f->row[at][1] = b;
    }
}

static void find_farthest(range *t, int slot)
{
    const elm_global_batch *r = t->rows;
    farthest *f = &t->farthest[slot];
    f->count = 0;
    for (int m = r->start[slot]; m < r->start[slot + 1]; m++)
        for (int n = m + 1; n < r->start[slot + 1]; n++) {
            const int a = r->member[m], b = r->member[n];
            insert(f,
                   elm_global_batch_distance(elm_global_batch_at(r, a), elm_global_batch_at(r, b),
                                             r->width),
                   a, b);
        }
}

static double *mean_of(const range *t, int slot)
{
    return t->mean + (size_t)slot * (size_t)t->rows->width;
}

static void find_mean(range *t, int slot)
{
    const elm_global_batch *r = t->rows;
    double *mean = mean_of(t, slot);
    memset(mean, 0, (size_t)r->width * sizeof *mean);
    for (int m = r->start[slot]; m < r->start[slot + 1]; m++) {
        const double *x = elm_global_batch_at(r, r->member[m]);
        for (int k = 0; k < r->width; k++)
            mean[k] += x[k] / elm_global_batch_members(r, slot);
    }
}

static void find_nearest(range *t, int slot)
{
    nearest *n = &t->nearest[slot];
    *n = (nearest){INFINITY, -1};
    for (int other = slot + 1; other < t->rows->present; other++) {
        const double distance =
            elm_global_batch_distance(mean_of(t, slot), mean_of(t, other), t->rows->width);
        if (distance < n->distance || isnan(distance))
            *n = (nearest){distance, other};
    }
}

/* Adds factor * (a - b) to a row's gradient if the row is ours. */
static void push(const elm_global_batch *r, int row, double factor, const double *a,
                 const double *b)
{
    const int mine = row - r->first;
    if (mine < 0 || mine >= r->local)
        return;
    double *gradient = r->gradient + (size_t)mine * (size_t)r->width;
    for (int k = 0; k < r->width; k++)
        gradient[k] += factor * (a[k] - b[k]);
}

/* The harmonic mean of a class's largest distances, and its gradient. */
static double spread_of_class(const range *t, int slot)
{
    const elm_global_batch *r = t->rows;
    const farthest *f = &t->farthest[slot];
    double sum = 0;
    for (int j = 0; j < f->count; j++)
        sum += 1 / (f->distance[j] < distance_min ? distance_min : f->distance[j]);
    const double mean = f->count > 0 ? f->count / sum : 0;
    for (int j = 0; j < f->count; j++) {
        if (f->distance[j] < distance_min)
            continue;
        const double ratio = mean / f->distance[j],
                     factor = 2 * t->intra * ratio * ratio / f->count;
        const double *a = elm_global_batch_at(r, f->row[j][0]),
                     *b = elm_global_batch_at(r, f->row[j][1]);
        push(r, f->row[j][0], factor, a, b);
        push(r, f->row[j][1], factor, b, a);
    }
    return mean;
}

/* What the two nearest class means lack to the margin, and its gradient. */
static double lack_of_margin(const range *t)
{
    const elm_global_batch *r = t->rows;
    int a = -1;
    for (int s = 0; s + 1 < r->present; s++)
        if (a < 0 || t->nearest[s].distance < t->nearest[a].distance ||
            isnan(t->nearest[s].distance))
            a = s;
    if (a < 0 || t->nearest[a].distance >= t->margin)
        return 0;
    const int pair[2] = {a, t->nearest[a].slot};
    for (int side = 0; side < 2; side++) {
        const int slot = pair[side];
        const double factor = -2 * t->inter / elm_global_batch_members(r, slot);
        for (int m = r->start[slot]; m < r->start[slot + 1]; m++)
            push(r, r->member[m], factor, mean_of(t, slot), mean_of(t, pair[1 - side]));
    }
    return t->margin - t->nearest[a].distance;
}

static elm_loss_value range_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    range *t = state;
    const elm_global_batch *r = t->rows;
    elm_global_batch_collect(t->rows, batch);
#pragma omp parallel
    {
#pragma omp for schedule(dynamic, 1)
        for (int s = 0; s < r->present; s++) {
            find_mean(t, s);
            find_farthest(t, s);
        }
#pragma omp for schedule(dynamic, 1)
        for (int s = 0; s < r->present; s++)
            find_nearest(t, s);
    }
    memset(r->gradient, 0, (size_t)r->local * (size_t)r->width * sizeof *r->gradient);
    double value = 0;
    for (int s = 0; s < r->present; s++)
        value += t->intra * spread_of_class(t, s);
    value += t->inter * lack_of_margin(t);
    elm_global_batch_add_gradient(r, batch, weight * elm_global_batch_share(batch));
    return elm_global_batch_tell(r, batch, value);
}

const elm_loss_row elm_loss_range = {
    .name = "range",
    .formula = "a sum over classes of the harmonic mean of its 2 largest |Phi - Phi'|^2 + b [m - "
               "smallest |mu_c - mu_c'|^2]_+",
    .source =
        "Zhang et al. 2017, Range loss for deep face recognition with long-tailed training data",
    .help = "the farthest images of each class attract each other, and the two nearest class means "
            "repel each other, up to a margin",
    .needs = elm_loss_needs_everything,
    .create = range_create,
    .evaluate = range_evaluate,
    .destroy = range_destroy,
};
