/* dro: DRO-LT's term (the paper's eq. 5), one stage. With S the global batch, mu_c the centroid of
 * class c, d_ci the squared distance of image i to mu_c and y its class:
 *
 *   L_i = log sum_{j in S} exp(d_yi - d_yj + epsilon_y [y_j != y])
 *
 * The sum depends on i only through its class, so one row of B numbers per class that occurs is all
 * there is: with s_cj = -d_cj + epsilon_c [y_j != c], q_cj = softmax over j of s_cj, w_i the weight
 * of image i and W_c = sum of those of class c,
 *
 *   dL/dPhi_j = w_j d'(y_j, j) - sum_c W_c q_cj d'(c, j),
 *   d' = 2 (Phi_j - mu_c), or (Phi_j - mu_c) / d for distances not squared
 *   dL/depsilon_c = W_c sum_{j not in c} q_cj
 *
 * Variant paper: w_i = 1/B, epsilon_c = loss.dro.epsilon / sqrt(pi_c). Variant public (what the
 * authors' code does): distances not squared, epsilon_c learned by plain gradient descent at the
 * step's rate, w_i = 1 / (members of its class * classes that occur). Centroids are constants to
 * the gradient. They are running means: after a step, mu_c becomes 0.9 mu_c + 0.1 (mean of the
 * batch's images of c); a class not met before takes the mean of the batch at hand, in that very
 * step. With loss.dro.centroids = epoch they are the means over the whole training set, computed
 * anew before each epoch (the second of the method's three stages). With loss.scope = bank
 * they are the means over all of a class's images at every step, those outside the batch as the
 * memory bank has them.
 *
 * Cost: every rank computes B * classes present * width products once, and its share of them
 * again for the gradient (B = 1024, 800 classes, width 2048: 1.7e9). */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/class_centers.h"
#include "loss/matmul.h"

enum { PAPER, PUBLIC };  /* loss.dro.variant */
enum { RUNNING, EPOCH }; /* loss.dro.centroids */

typedef struct dro {
    bool squared, learned, each_epoch, exact;
    double momentum;
    elm_global_batch *rows;
    elm_class_centers *centers; /* NULL: centroids are the bank's */
    elm_parts_seen parts;       /* of the global batch, without centers */
    float *epsilon;             /* [classes] */
    double *epsilon_gradient;   /* [classes], of the evaluations since the last update */
    double *mu;                 /* [classes present][width] centroids in use */
    /* [classes present][rows] products with mu_c, s, then the factor of (Phi_j - mu_c) in the
     * gradient */
    double *factor;
    double *peak, *log_sum; /* [classes present] log sum_j exp s_cj = peak + log_sum */
    double *distance;       /* [max_rows] of each row to its own centroid */
    double *square;         /* [max_rows] of each row's length */
} dro;

static void dro_destroy(void *state)
{
    dro *d = state;
    if (!d)
        return;
    elm_global_batch_destroy(d->rows);
    elm_class_centers_destroy(d->centers);
    void *all[] = {d->epsilon, d->epsilon_gradient, d->mu,     d->factor, d->peak,
                   d->log_sum, d->distance,         d->square, d};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static int allocate(dro *d, const elm_loss_setup *setup, elm_error *err)
{
    const size_t classes = (size_t)setup->counts.classes, rows = (size_t)setup->max_rows,
                 present = rows < classes ? rows : classes;
    const elm_need needs[] = {
        {&d->epsilon, classes, sizeof *d->epsilon},
        {&d->epsilon_gradient, classes, sizeof *d->epsilon_gradient},
        {&d->mu, present * (size_t)setup->width, sizeof *d->mu},
        {&d->factor, present * rows, sizeof *d->factor},
        {&d->peak, present, sizeof *d->peak},
        {&d->log_sum, present, sizeof *d->log_sum},
        {&d->distance, rows, sizeof *d->distance},
        {&d->square, rows, sizeof *d->square},
    };
    if (elm_global_batch_create(&d->rows, setup, false, err) ||
        (!d->exact && elm_class_centers_create(&d->centers, setup, err)))
        return -1;
    return elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
}

/* Class means of the bank go before those of each epoch. */
static void dro_needs(const elm_loss_options *options, elm_loss_needs *needs)
{
    elm_loss_needs_everything(options, needs);
    needs->bank = options->scope == ELM_SCOPE_BANK;
    needs->means = options->dro_centroids == EPOCH && !needs->bank;
}

static int dro_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    elm_loss_needs wanted = {0};
    dro *d = elm_alloc(1, sizeof *d, err);
    *state = NULL;
    if (!d)
        return -1;
    dro_needs(o, &wanted);
    *d = (dro){.squared = o->dro_variant == PAPER,
               .learned = o->dro_variant == PUBLIC,
               .momentum = o->dro_momentum,
               .each_epoch = wanted.means,
               .exact = wanted.bank};
    if (o->scope == ELM_SCOPE_RANK) {
        elm_error_set(err, ELM_EXIT_USAGE,
                      "dro has no scope rank (loss.scope): use global or bank");
        dro_destroy(d);
        return -1;
    }
    if (allocate(d, setup, err)) {
        dro_destroy(d);
        return -1;
    }
    for (int c = 0; c < setup->counts.classes; c++) {
        const double pi = (double)setup->counts.count[c] / (double)setup->counts.total;
        d->epsilon[c] = (float)(d->learned ? o->dro_epsilon
                                : pi > 0   ? o->dro_epsilon / sqrt(pi)
                                           : 0);
    }
    *state = d;
    return 0;
}

/* The centroid of a class that occurs: the bank's mean, or the running one, or at first sight
 * the batch's. */
static void find_centroid(dro *d, const double *means, int slot)
{
    const elm_global_batch *r = d->rows;
    const int32_t c = r->class[slot];
    double *mu = d->mu + (size_t)slot * (size_t)r->width;
    if (d->exact) {
        memcpy(mu, means + (size_t)slot * (size_t)r->width, (size_t)r->width * sizeof *mu);
        return;
    }
    if (d->centers->seen[c] != 0) {
        const float *center = d->centers->center + (size_t)c * (size_t)r->width;
        for (int k = 0; k < r->width; k++)
            mu[k] = center[k];
        return;
    }
    memset(mu, 0, (size_t)r->width * sizeof *mu);
    for (int m = r->start[slot]; m < r->start[slot + 1]; m++) {
        const double *x = elm_global_batch_at(r, r->member[m]);
        for (int k = 0; k < r->width; k++)
            mu[k] += x[k] / elm_global_batch_members(r, slot);
    }
}

/* What an image of a class with that many members counts, before 1 / global or images / global. */
static double weight_of(const dro *d, int members)
{
    return d->learned ? 1.0 / members / d->rows->present : 1;
}

static double square_of(const double *x, int width)
{
    return elm_global_batch_product(x, x, width);
}

/* Below that share of |x|^2 + |mu|^2, |x|^2 + |mu|^2 - 2 x.mu has lost more than four of its
 * sixteen digits. */
static const double close_share = 1e-4;

/* Distances of all rows to the centroid of one class, from the products with it. Those of points
 * that are close to it, as in a class that has been pulled together, come from differences. */
static void find_distances(const dro *d, int slot, double *row)
{
    const elm_global_batch *r = d->rows;
    const double *mu = d->mu + (size_t)slot * (size_t)r->width, mu_square = square_of(mu, r->width);
    for (int j = 0; j < r->count; j++) {
        const double both = d->square[j] + mu_square, by_products = both - 2 * row[j];
        const double squared =
            by_products >= close_share * both
                ? by_products
                : elm_global_batch_distance(elm_global_batch_at(r, j), mu, r->width);
        row[j] = d->squared ? squared : sqrt(squared);
    }
}

/* s, its log-sum-exp, and in place of s the factors of the gradient, of one class over all rows.
 * The largest s is taken out of the sum, so no exponential overflows. */
static void find_class(dro *d, int slot, double epsilon_scale)
{
    const elm_global_batch *r = d->rows;
    const int32_t c = r->class[slot];
    const double epsilon = (double)d->epsilon[c];
    double *factor = d->factor + (size_t)slot * (size_t)r->max_rows, peak = -INFINITY, sum = 0,
           others = 0;
    find_distances(d, slot, factor);
    for (int j = 0; j < r->count; j++) {
        if (r->label[j] == c)
            d->distance[j] = factor[j];
        factor[j] = -factor[j] + (r->label[j] == c ? 0 : epsilon);
        peak = factor[j] > peak ? factor[j] : peak;
    }
    for (int j = 0; j < r->count; j++)
        sum += exp(factor[j] - peak); /* NaN comes here and stays */
    const double weight = weight_of(d, elm_global_batch_members(r, slot)),
                 all = weight * elm_global_batch_members(r, slot);
    for (int j = 0; j < r->count; j++) {
        const bool own = r->label[j] == c;
        const double q = exp(factor[j] - peak) / sum, slope = (own ? weight : 0) - all * q;
        const double distance = own ? d->distance[j] : epsilon - factor[j];
        others += own ? 0 : q;
        factor[j] = d->squared ? 2 * slope : distance > 0 ? slope / distance : 0;
    }
    d->peak[slot] = peak;
    d->log_sum[slot] = log(sum);
    d->epsilon_gradient[c] += epsilon_scale * all * others;
}

/* sum_c factor_c (Phi_i - mu_c) as (sum_c factor_c) Phi_i - sum_c factor_c mu_c, of which the
 * last is there already. */
static void finish_gradient(const dro *d, int i)
{
    const elm_global_batch *r = d->rows;
    const double *x = elm_global_batch_at(r, r->first + i);
    double *gradient = r->gradient + (size_t)i * (size_t)r->width, sum = 0;
    for (int s = 0; s < r->present; s++)
        sum += d->factor[(size_t)s * (size_t)r->max_rows + (size_t)(r->first + i)];
    for (int k = 0; k < r->width; k++)
        gradient[k] = sum * x[k] - gradient[k];
}

/* In the order of the images, so that the sum does not depend on the threads. */
static elm_loss_value add_up(const dro *d, double share)
{
    const elm_global_batch *r = d->rows;
    elm_loss_value value = elm_global_batch_anchors(r);
    for (int p = r->first; p < r->first + r->local; p++) {
        const int slot = r->slot[r->label[p]];
        value.loss += weight_of(d, elm_global_batch_members(r, slot)) *
                      (d->distance[p] + d->peak[slot] + d->log_sum[slot]);
    }
    value.loss *= share;
    return value;
}

static void find_classes(dro *d, const double *means, double epsilon_scale)
{
    const elm_global_batch *r = d->rows;
#pragma omp parallel
    {
#pragma omp for schedule(static) nowait
        for (int j = 0; j < r->count; j++)
            d->square[j] = square_of(elm_global_batch_at(r, j), r->width);
#pragma omp for schedule(dynamic, 1)
        for (int s = 0; s < r->present; s++)
            find_centroid(d, means, s);
    }
    elm_matmul_nt(d->mu, r->present, r->x, r->count, r->width, d->factor, r->max_rows);
#pragma omp parallel for schedule(dynamic, 1)
    for (int s = 0; s < r->present; s++)
        find_class(d, s, epsilon_scale);
}

static elm_loss_value dro_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    dro *d = state;
    const elm_global_batch *r = d->rows;
    elm_global_batch_collect(d->rows, batch);
    if (d->exact ? elm_parts_begin(&d->parts, r->count, batch)
                 : elm_class_centers_note(d->centers, r, batch))
        memset(d->epsilon_gradient, 0, (size_t)d->rows->classes * sizeof *d->epsilon_gradient);
    const double share = d->learned ? elm_global_batch_share(batch) : 1 / (double)batch->global;
    find_classes(d, batch->class_means, weight * share);
    elm_matmul_tn(d->factor + r->first, r->max_rows, r->local, d->mu, r->present, r->width,
                  r->gradient);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->local; i++)
        finish_gradient(d, i);
    elm_global_batch_add_gradient(r, batch, weight * share);
    return add_up(d, share);
}

static void running_mean(float *center, const double *sum, int64_t count, bool seen, int width,
                         double momentum)
{
    for (int k = 0; k < width; k++) {
        const double mean = sum[k] / (double)count;
        center[k] = (float)(seen ? momentum * (double)center[k] + (1 - momentum) * mean : mean);
    }
}

static void update(void *state, double lr)
{
    dro *d = state;
    if (!d->each_epoch && !d->exact)
        elm_class_centers_follow(d->centers, running_mean, d->momentum);
    for (int c = 0; c < d->rows->classes && d->learned; c++) {
        d->epsilon[c] = (float)((double)d->epsilon[c] - lr * d->epsilon_gradient[c]);
        d->epsilon_gradient[c] = 0;
    }
}

static void set_means(void *state, const float *means)
{
    dro *d = state;
    memcpy(d->centers->center, means,
           (size_t)d->rows->classes * (size_t)d->rows->width * sizeof *means);
    for (int c = 0; c < d->rows->classes; c++)
        d->centers->seen[c] = 1;
}

static int tensors(void *state, elm_tensor *out, int capacity)
{
    dro *d = state;
    const int count = d->exact ? 0 : elm_class_centers_tensors(d->centers, out, capacity),
              classes = d->rows->classes;
    if (!d->learned)
        return count;
    if (count < capacity)
        out[count] = (elm_tensor){.name = "epsilon",
                                  .dimensions = 1,
                                  .shape = {classes},
                                  .count = classes,
                                  .data = d->epsilon};
    return count + 1;
}

const elm_loss_row elm_loss_dro = {
    .name = "dro",
    .formula = "log(sum over j of exp(|Phi - mu_y|^2 - |Phi_j - mu_y|^2 + epsilon_y [y_j != y]))",
    .source = "Samuel and Chechik 2021, Distributional robustness loss for long-tail learning; as "
              "in Jitkrittum et al. 2022, eq. 5",
    .help = "DRO-LT in one stage: images lie nearer to the running mean of their class than all "
            "others of the batch, rare classes with a "
            "larger margin",
    .needs = dro_needs,
    .set_means = set_means,
    .create = dro_create,
    .evaluate = dro_evaluate,
    .update = update,
    .destroy = dro_destroy,
    .tensors = tensors,
};
