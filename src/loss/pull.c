/* pull: ELM's embedding term (DESIGN 3, step 4). Anchor i of class y, its positives j the other images of y in the global batch:
 *
 *   d_ij = |Phi_i - Phi_j|^2, t_ij = d_ij - alpha_y, L_i = log(1 + sum_j exp t_ij), p_ij = exp(t_ij - L_i)
 *   dL/dPhi_i = 2 lambda / B sum_j (p_ij + p_ji) (Phi_i - Phi_j)
 *
 * A rank that holds a member of y holds all of them, so it computes the p_ji of anchors that live elsewhere itself.
 *
 * Two passes over the pairs, each free to be cut among threads by anchor: the first finds L of every member, the second the gradients of
 * ours. Distances are computed in both: keeping them would take rows^2 memory, and anchors sharing a symmetric pair would have to write
 * into each other's sums. Distances come from differences, in double: |a|^2 + |b|^2 - 2ab loses all digits once the term has pulled a class
 * together, which is what it is for, and an error of 1e-4 in a d of 1000 is one of 1e-4 in p. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/table.h"

/* log(1 + sum exp t) as peak + log(sum), where peak >= 0 is the largest of 0 (the "1") and all t: no exponential overflows. */
typedef struct log_sum {
    double peak, sum;
} log_sum;

typedef struct pull {
    int width, classes;
    bool rank_only, normalize;
    double *alpha;    /* [classes] */
    int *group;       /* [classes] head, torso, tail */
    bool *held;       /* [classes] this rank has a member in the batch */
    int *start;       /* [classes + 1] of each class in `members` */
    int *members;     /* [max_rows] rows sorted by class; row r < local is ours, others follow */
    log_sum *log_sum; /* [max_rows] */
    double *gradient; /* [max_local][width] */
    double *scale;    /* [max_rows] factor on each row: 1, or 1 / its length when normalised */
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

/* An embedding: value k is x[k] * scale, in double, so that normalising costs no digit. */
typedef struct row {
    const float *x;
    double scale;
} row;

static row row_of(const pull *p, const rows *r, int i)
{
    const elm_loss_batch *b = r->batch;
    const size_t width = (size_t)b->width;
    return (row){i < b->local ? b->embeddings + (size_t)i * width : b->remote_embeddings + (size_t)(i - b->local) * width, p->scale[i]};
}

/* Shorter vectors have no direction: normalised they are 0 and get no gradient. */
static const double length_min = 1e-12;

static void find_scale(pull *p, const rows *r, int i)
{
    const float *x = row_of(p, r, i).x;
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < p->width; k++)
        sum += (double)x[k] * x[k];
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

static double squared_distance(row a, row b, int width)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int k = 0; k < width; k++) {
        const double difference = a.x[k] * a.scale - b.x[k] * b.scale;
        sum += difference * difference;
    }
    return sum;
}

static void find_log_sum(pull *p, const rows *r, int i)
{
    const int32_t y = label_of(r, i);
    const row anchor = row_of(p, r, i);
    log_sum l = {0, 1};
    for (int m = p->start[y]; m < p->start[y + 1]; m++) {
        if (p->members[m] == i)
            continue;
        const double t = squared_distance(anchor, row_of(p, r, p->members[m]), p->width) - p->alpha[y];
        if (t > l.peak) {
            l.sum = l.sum * exp(l.peak - t) + 1;
            l.peak = t;
        } else {
            l.sum += exp(t - l.peak); /* NaN comes here and stays */
        }
    }
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
    const row anchor = row_of(p, r, i);
    double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    memset(gradient, 0, (size_t)p->width * sizeof *gradient);
    for (int m = p->start[y]; m < p->start[y + 1]; m++) {
        const int j = p->members[m];
        if (j == i)
            continue;
        const row positive = row_of(p, r, j);
        const double t = squared_distance(anchor, positive, p->width) - p->alpha[y];
        const double weight = share_of(p->log_sum[i], t) + share_of(p->log_sum[j], t);
#pragma omp simd
        for (int k = 0; k < p->width; k++)
            gradient[k] += weight * (anchor.x[k] * anchor.scale - positive.x[k] * positive.scale);
    }
}

/* Through u = x / |x|: dL/dx = (g - u (u.g)) / |x|. */
static void through_normalization(const pull *p, const rows *r, int i)
{
    double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    const row u = row_of(p, r, i);
    double along = 0;
#pragma omp simd reduction(+ : along)
    for (int k = 0; k < p->width; k++)
        along += gradient[k] * (u.x[k] * u.scale);
    for (int k = 0; k < p->width; k++)
        gradient[k] = (gradient[k] - along * (u.x[k] * u.scale)) * u.scale;
}

static void add_gradient(const pull *p, const rows *r, int i, double scale)
{
    find_gradient(p, r, i);
    if (p->normalize)
        through_normalization(p, r, i);
    const double *gradient = p->gradient + (size_t)i * (size_t)p->width;
    float *to = r->batch->embeddings_gradient + (size_t)i * (size_t)p->width;
    for (int k = 0; k < p->width; k++)
        to[k] += (float)(scale * gradient[k]);
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
    }
    value.loss /= (double)r->batch->global;
    return value;
}

static elm_loss_value evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    pull *p = state;
    const rows r = {batch, batch->local + (p->rank_only ? 0 : batch->remote)};
    sort_by_class(p, &r);
    if (p->normalize) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < r.count; i++)
            find_scale(p, &r, i);
    }
    /* Anchors of head classes have more positives: small portions, dealt out as threads become free. */
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < r.count; i++)
        if (p->held[label_of(&r, i)])
            find_log_sum(p, &r, i);
    const double scale = 2 * weight / (double)batch->global;
#pragma omp parallel for schedule(dynamic, 4)
    for (int i = 0; i < batch->local; i++)
        add_gradient(p, &r, i, scale);
    return add_up(p, &r);
}

static void destroy(void *state)
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
    p->gradient = p->log_sum ? elm_alloc((size_t)setup->max_local * width, sizeof *p->gradient, err) : NULL;
    p->scale = p->gradient ? elm_alloc(max_rows, sizeof *p->scale, err) : NULL;
    for (size_t i = 0; p->scale && i < max_rows; i++)
        p->scale[i] = 1;
    return p->scale ? 0 : -1;
}

static int create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    const elm_loss_options *o = setup->options;
    *state = NULL;
    pull *p = elm_alloc(1, sizeof *p, err);
    if (!p)
        return -1;
    *p = (pull){.width = setup->width, .classes = setup->counts.classes, .rank_only = o->pull_scope == 1, .normalize = o->pull_normalize};
    if (allocate(p, setup, err) || elm_loss_pull_margins(o, setup->counts, p->alpha, err)) {
        destroy(p);
        return -1;
    }
    for (int c = 0; c < p->classes; c++)
        p->group[c] = elm_class_group(setup->counts.count[c]);
    *state = p;
    return 0;
}

static elm_loss_reach reach(const elm_loss_options *options)
{
    return options->pull_scope == 1 ? ELM_LOSS_LOCAL : ELM_LOSS_SAME_CLASS;
}

const elm_loss_row elm_loss_pull = {
    .name = "pull",
    .formula = "log(1 + sum over same-class j of exp(|Phi - Phi_j|^2 - alpha_y))",
    .source = "Jitkrittum, Menon, Rawat, Kumar 2022, ELM: Embedding and Logit Margins for Long-Tail Learning",
    .help = "same-class embeddings attract each other, up to a margin that grows with the class",
    .reach = reach,
    .create = create,
    .evaluate = evaluate,
    .destroy = destroy,
};
