/* pull: ELM's embedding term (docs/design.md, section 3, step 4). Anchor i of class y, its
 * positives j the other images of y in the global batch:
 *
 *   d_ij = |Phi_i - Phi_j|^2,  t_ij = d_ij - alpha_y
 *   L_i = log(1 + sum_j exp t_ij),  p_ij = exp(t_ij - L_i)
 *   dL/dPhi_i = 2 lambda / B sum_j (p_ij + p_ji) (Phi_i - Phi_j)
 *
 * A rank that holds a member of y holds all of them, so it computes the p_ji of other ranks'
 * anchors itself.
 *
 * Two passes over the pairs, each free to be cut among threads by anchor: the first finds L of
 * every member, the second the gradients of ours. Distances are computed in both: keeping them
 * would take rows^2 memory, and anchors sharing a symmetric pair would have to write into each
 * other's sums. Distances come from differences, in double: |a|^2 + |b|^2 - 2ab loses all digits
 * once the term has pulled a class together, which is what it is for, and an error of 1e-4 in a d
 * of 1000 is one of 1e-4 in p.
 *
 * With a bank (scope bank) this rank holds all rows of the classes that it owns, and anchors
 * have the class's other images as positives too, by their stored embeddings b_k, which are
 * constants: their part of the gradient, sum_k p_ik (Phi_i - b_k), has no p_ki. So the first
 * pass can gather it as it goes, rescaled whenever the peak of the exponents rises, and every
 * entry is read once. */
#include <math.h>
#include <string.h>

#include "base/cpu/vectors.h"
#include "base/long_tail.h"
#include "elmpi/memory.h"
#include "loss/embedding/memory_bank.h"
#include "loss/embedding/pull_kernels.h"
#include "loss/table.h"

/* log(1 + sum exp t) as peak + log(sum), where peak >= 0 is the largest of 0 (the "1") and all
 * t: no exponential overflows. */
typedef struct log_sum {
    double peak, sum;
} log_sum;

/* What an anchor says about its own entry in the bank. */
typedef struct drift {
    /* squared distance to it; mean squared distance to its class's other entries */
    double own, others;
} drift;

typedef struct pull {
    int width, classes;
    bool rank_only, normalize, mean;
    double *alpha;    /* [classes] */
    int *group;       /* [classes] head, torso, tail */
    bool *held;       /* [classes] this rank has a member in the batch */
    int *start;       /* [classes + 1] of each class in `members` */
    int *members;     /* [max_rows] rows sorted by class; row r < local is ours, others follow */
    log_sum *log_sum; /* [max_rows] */
    double *gradient; /* [max_local][width] */
    double *scale;    /* [max_rows] factor on each row: 1, or 1 / its length when normalized */
    drift *drift;     /* [max_local] only with a bank */
} pull;

/* The rows of one evaluation. */
typedef struct rows {
    const elm_loss_batch *batch;
    int count; /* local, then remote unless the scope is this rank */
} rows;

static int32_t label_of(const rows *r, int i)
{
    return i < r->batch->local ? r->batch->labels[i] : r->batch->remote_labels[i - r->batch->local];
}

static elm_memory_bank_row row_of(const pull *p, const rows *r, int i)
{
    const elm_loss_batch *b = r->batch;
    const size_t width = (size_t)b->width;
    const float *x = i < b->local ? b->embeddings + (size_t)i * width
                                  : b->remote_embeddings + (size_t)(i - b->local) * width;
    return (elm_memory_bank_row){.fp32 = x, .scale = p->scale[i]};
}

/* Shorter vectors have no direction: normalized they are 0 and get no gradient. */
static const double length_min = 1e-12;

static void find_scale(pull *p, const rows *r, int i)
{
    const float *x = row_of(p, r, i).fp32;
    const double sum = elm_vectors()->dot(x, x, p->width);
    p->scale[i] = sqrt(sum) <= length_min ? 0 : 1 / sqrt(sum);
}

/* Counting sort of the rows by class; within a class ours come first. */
static void sort_by_class(pull *p, const rows *r)
{
    memset(p->start, 0, ((size_t)p->classes + 1) * sizeof *p->start);
    memset(p->held, 0, (size_t)p->classes * sizeof *p->held);
    for (int i = 0; i < r->batch->local; i++)
        p->held[r->batch->labels[i]] = true;
    for (int i = 0; i < r->count; i++)
        p->start[label_of(r, i) + 1]++;
    for (int c = 0; c < p->classes; c++)
        p->start[c + 1] += p->start[c];
    for (int i = 0; i < r->count; i++)
        p->members[p->start[label_of(r, i)]++] = i;
    /* Placing moved each start to its class's end, which is where the next begins. */
    memmove(p->start + 1, p->start, (size_t)p->classes * sizeof *p->start);
    p->start[0] = 0;
}

/* Goes on with the bank's positives of anchor i. Leaves sum_k exp(t_ik - peak) (Phi_i - b_k) in
 * its gradient. */
static log_sum add_bank(pull *p, const rows *r, int i, double margin, log_sum l)
{
    const int32_t *slot;
    const elm_memory_bank *bank = r->batch->bank;
    const int64_t count = elm_memory_bank_usable(bank, label_of(r, i), &slot),
                  own = elm_memory_bank_entry_of(bank, r->batch->members[i]);
    const elm_pull_kernels *kernels = elm_pull_kernels_of();
    const elm_memory_bank_row anchor = row_of(p, r, i);
    double *gradient = p->gradient + (size_t)i * (size_t)p->width, sum = 0;
    memset(gradient, 0, (size_t)p->width * sizeof *gradient);
    for (int64_t s = 0; s < count; s++) {
        const elm_memory_bank_row entry = elm_memory_bank_at(bank, slot[s]);
        const double d = kernels->squared_distance(anchor, entry, p->width), t = d - margin;
        double weight = 1;
        if (t > l.peak) {
            const double shrink = exp(l.peak - t);
            l = (log_sum){t, l.sum * shrink + 1};
            kernels->multiply(gradient, shrink, p->width);
        } else {
            weight = exp(t - l.peak);
            l.sum += weight;
        }
        if (weight != 0)
            kernels->add_difference(gradient, weight, anchor, entry, p->width);
        sum += d;
    }
    p->drift[i] = (drift){0, 0};
    if (own >= 0 && count > 0)
        p->drift[i] =
            (drift){kernels->squared_distance(anchor, elm_memory_bank_at(bank, own), p->width),
                    sum / (double)count};
    return l;
}

/* What is taken from a distance: the margin, and log m where the mean over m positives stands
 * for their sum. */
static double margin_of(const pull *p, const rows *r, int32_t y)
{
    const int32_t *slot;
    const int64_t fresh = p->start[y + 1] - p->start[y] - 1,
                  stored = r->batch->bank ? elm_memory_bank_usable(r->batch->bank, y, &slot) : 0;
    return p->alpha[y] + (p->mean && fresh + stored > 0 ? log((double)(fresh + stored)) : 0);
}

static void find_log_sum(pull *p, const rows *r, int i)
{
    const int32_t y = label_of(r, i);
    const elm_pull_kernels *kernels = elm_pull_kernels_of();
    const elm_memory_bank_row anchor = row_of(p, r, i);
    const double margin = margin_of(p, r, y);
    log_sum l = {0, 1};
    for (int m = p->start[y]; m < p->start[y + 1]; m++) {
        if (p->members[m] == i)
            continue;
        const double t =
            kernels->squared_distance(anchor, row_of(p, r, p->members[m]), p->width) - margin;
        if (t > l.peak) {
            l.sum = l.sum * exp(l.peak - t) + 1;
            l.peak = t;
        } else {
            l.sum += exp(t - l.peak); /* NaN comes here and stays */
        }
    }
    if (r->batch->bank)
        l = add_bank(p, r, i, margin, l);
    p->log_sum[i] = l;
}

/* exp(t - L), from the parts: L itself would round the logarithm away beside a large peak. */
static double share_of(log_sum l, double t)
{
    return exp(t - l.peak) / l.sum;
}

/* Sum over the positives of (p_ij + p_ji)(Phi_i - Phi_j). */
static void find_gradient(const pull *p, const rows *r, int i)
{
    const int32_t y = label_of(r, i);
    const elm_pull_kernels *kernels = elm_pull_kernels_of();
    const elm_memory_bank_row anchor = row_of(p, r, i);
    double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    const double margin = margin_of(p, r, y), of_bank = r->batch->bank ? 1 / p->log_sum[i].sum : 0;
    for (int k = 0; k < p->width; k++)
        gradient[k] = of_bank != 0 ? gradient[k] * of_bank : 0;
    for (int m = p->start[y]; m < p->start[y + 1]; m++) {
        const int j = p->members[m];
        if (j == i)
            continue;
        const elm_memory_bank_row positive = row_of(p, r, j);
        const double t = kernels->squared_distance(anchor, positive, p->width) - margin;
        const double weight = share_of(p->log_sum[i], t) + share_of(p->log_sum[j], t);
        kernels->add_difference(gradient, weight, anchor, positive, p->width);
    }
}

/* Through u = x / |x|: dL/dx = (g - u (u.g)) / |x|. */
static void through_normalization(const pull *p, const rows *r, int i)
{
    double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    const elm_pull_kernels *kernels = elm_pull_kernels_of();
    const elm_memory_bank_row u = row_of(p, r, i);
    kernels->project(gradient, kernels->along(gradient, u, p->width), u, p->width);
}

static void add_gradient(const pull *p, const rows *r, int i, double scale)
{
    find_gradient(p, r, i);
    if (p->normalize)
        through_normalization(p, r, i);
    const double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    float *to = r->batch->embeddings_gradient + (size_t)i * (size_t)p->width;
    elm_pull_kernels_of()->add_to(to, scale, gradient, p->width);
}

/* In the order of the images, so that the sum does not depend on the threads. */
static elm_loss_value add_up(const pull *p, const rows *r)
{
    elm_loss_value value = {0};
    for (int i = 0; i < r->batch->local; i++) {
        const int32_t y = r->batch->labels[i];
        value.loss += p->log_sum[i].peak + log(p->log_sum[i].sum);
        value.anchors[p->group[y]]++;
        value.with_positive[p->group[y]] += p->start[y + 1] - p->start[y] > 1;
        if (r->batch->bank) {
            value.drift += p->drift[i].own;
            value.spread += p->drift[i].others;
        }
    }
    if (r->batch->bank)
        elm_memory_bank_cover(r->batch->bank, r->batch, value.with_bank);
    value.loss /= (double)r->batch->global;
    return value;
}

static elm_loss_value pull_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    pull *p = state;
    const rows r = {batch, batch->local + (p->rank_only ? 0 : batch->remote)};
    sort_by_class(p, &r);
    if (batch->bank)
        elm_memory_bank_begin(batch->bank, batch);
    if (p->normalize) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < r.count; i++)
            find_scale(p, &r, i);
    }
    /* Anchors of head classes have more positives (with a bank, thousands): small portions,
     * dealt out as threads become free. */
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < r.count; i++)
        if (p->held[label_of(&r, i)])
            find_log_sum(p, &r, i);
    const double scale = 2 * weight / (double)batch->global;
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < batch->local; i++)
        add_gradient(p, &r, i, scale);
    return add_up(p, &r);
}

static void pull_destroy(void *state)
{
    pull *p = state;
    if (!p)
        return;
    elm_free(p->alpha);
    elm_free(p->group);
    elm_free(p->held);
    elm_free(p->start);
    elm_free(p->members);
    elm_free(p->log_sum);
    elm_free(p->gradient);
    elm_free(p->scale);
    elm_free(p->drift);
    elm_free(p);
}

static int allocate(pull *p, const elm_loss_setup *setup, elm_error *err)
{
    const size_t classes = (size_t)p->classes, width = (size_t)p->width;
    const size_t max_rows = p->rank_only ? (size_t)setup->max_local : (size_t)setup->max_rows;
    p->alpha = elm_alloc(classes, sizeof *p->alpha, err);
    p->group = p->alpha ? elm_alloc(classes, sizeof *p->group, err) : NULL;
    p->held = p->group ? elm_alloc(classes, sizeof *p->held, err) : NULL;
    p->start = p->held ? elm_alloc(classes + 1, sizeof *p->start, err) : NULL;
    p->members = p->start ? elm_alloc(max_rows, sizeof *p->members, err) : NULL;
    p->log_sum = p->members ? elm_alloc(max_rows, sizeof *p->log_sum, err) : NULL;
    p->gradient =
        p->log_sum ? elm_alloc((size_t)setup->max_local * width, sizeof *p->gradient, err) : NULL;
    p->scale = p->gradient ? elm_alloc(max_rows, sizeof *p->scale, err) : NULL;
    p->drift =
        p->scale ? elm_alloc(setup->options->scope == ELM_SCOPE_BANK ? (size_t)setup->max_local : 0,
                             sizeof *p->drift, err)
                 : NULL;
    for (size_t i = 0; p->drift && i < max_rows; i++)
        p->scale[i] = 1;
    return p->drift ? 0 : -1;
}

static int pull_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    *state = NULL;
    pull *p = elm_alloc(1, sizeof *p, err);
    if (!p)
        return -1;
    *p = (pull){.width = setup->width,
                .classes = setup->counts.classes,
                .rank_only = o->scope == ELM_SCOPE_RANK,
                .normalize = o->pull_normalize,
                .mean = o->scope == ELM_SCOPE_BANK && o->bank_normalizer == 1};
    if (allocate(p, setup, err) || elm_loss_pull_margins(o, setup->counts, p->alpha, err)) {
        pull_destroy(p);
        return -1;
    }
    for (int c = 0; c < p->classes; c++)
        p->group[c] = elm_class_group(setup->counts.count[c]);
    *state = p;
    return 0;
}

static void pull_needs(const elm_loss_options *options, elm_loss_needs *needs)
{
    static const elm_loss_reach of_scope[] = {[ELM_SCOPE_GLOBAL] = ELM_LOSS_SAME_CLASS,
                                              [ELM_SCOPE_RANK] = ELM_LOSS_LOCAL,
                                              [ELM_SCOPE_BANK] = ELM_LOSS_OWNED};
    needs->reach = of_scope[options->scope];
    needs->bank = options->scope == ELM_SCOPE_BANK;
}

const elm_loss_row elm_loss_pull = {
    .name = "pull",
    .formula = "log(1 + sum over same-class j of exp(|Phi - Phi_j|^2 - alpha_y))",
    .source = "Jitkrittum, Menon, Rawat, Kumar 2022, ELM: Embedding and Logit Margins for "
              "Long-Tail Learning",
    .help = "same-class embeddings attract each other, up to a margin that grows with the class",
    .needs = pull_needs,
    .create = pull_create,
    .evaluate = pull_evaluate,
    .destroy = pull_destroy,
};
