/* ncm: nearest class mean (Mensink et al. 2013; Kang et al. 2020). Embeddings less the training
 * set's mean, scaled to length 1; the class whose mean of these is nearest by Euclidean
 * distance, the lower one on ties. Classes without a training image are never predicted. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "eval/classifiers/exact_sum.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"

typedef struct ncm {
    int classes, width;
    const int64_t *count; /* [classes] */
    double *mean;         /* [width] of the training set */
    double *means;        /* [classes][width] */
    double *unit;         /* [width] the embedding at hand */
} ncm;

/* Shorter differences have no direction. */
static const double length_min = 1e-12;

static void make_unit(const ncm *n, const float *embedding)
{
    double sum = 0;
    for (int k = 0; k < n->width; k++) {
        n->unit[k] = (double)embedding[k] - n->mean[k];
        sum += n->unit[k] * n->unit[k];
    }
    const double scale = sqrt(sum) > length_min ? 1 / sqrt(sum) : 0;
    for (int k = 0; k < n->width; k++)
        n->unit[k] *= scale;
}

/* Minus the squared distance. */
static void score(const void *context, const float *embedding, const float *logits, double *scores)
{
    const ncm *n = context;
    (void)logits;
    make_unit(n, embedding);
    for (int c = 0; c < n->classes; c++) {
        const double *mean = n->means + (size_t)c * (size_t)n->width;
        double sum = 0;
        for (int k = 0; k < n->width; k++)
            sum += (n->unit[k] - mean[k]) * (n->unit[k] - mean[k]);
        scores[c] = n->count[c] > 0 ? -sum : -INFINITY;
    }
}

static double largest_all(const elm_embedding_set *e, elm_comm *comm)
{
    double largest = 0;
    for (size_t i = 0; i < (size_t)e->count * (size_t)e->width; i++)
        largest = fmax(largest, fabs((double)e->embeddings[i]));
    elm_comm_max_all(comm, &largest, 1);
    return largest;
}

/* Of the whole training set first, then of each class's directions. */
static void find_means_all(ncm *n, const elm_embedding_set *e, int64_t *sums,
                           const elm_classifier_input *input)
{
    const size_t width = (size_t)n->width;
    int shift = elm_exact_shift(largest_all(e, input->comm), input->train->count);
    for (int64_t i = 0; i < e->count; i++)
        for (size_t k = 0; k < width; k++)
            sums[k] += elm_exact_of((double)e->embeddings[(size_t)i * width + k], shift);
    elm_comm_sum_counts_all(input->comm, sums, n->width);
    for (size_t k = 0; k < width; k++)
        n->mean[k] = elm_exact_value(sums[k], shift) / (double)input->train->count;

    memset(sums, 0, width * sizeof *sums);
    shift = elm_exact_shift(1, input->train->count);
    for (int64_t i = 0; i < e->count; i++) {
        make_unit(n, e->embeddings + (size_t)i * width);
        for (size_t k = 0; k < width; k++)
            sums[(size_t)e->labels[i] * width + k] += elm_exact_of(n->unit[k], shift);
    }
    elm_comm_sum_counts_all(input->comm, sums, (int64_t)n->classes * n->width);
    for (int c = 0; c < n->classes; c++)
        for (size_t k = 0; k < width; k++)
            n->means[(size_t)c * width + k] =
                n->count[c] > 0
                    ? elm_exact_value(sums[(size_t)c * width + k], shift) / (double)n->count[c]
                    : 0;
}

int elm_ncm_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err)
{
    elm_embedding_set embedded;
    ncm n = {.classes = input->test->info.classes,
             .width = elm_net_width(input->net),
             .count = input->train->class_count};
    const size_t classes = (size_t)n.classes, width = (size_t)n.width;
    int64_t *sums = NULL;
    int status = elm_embed_all(input->net, input->train, input->comm, NULL, &embedded, err);
    if (status == 0) {
        const elm_need needs[] = {
            {&n.mean, width, sizeof *n.mean},
            {&n.means, classes * width, sizeof *n.means},
            {&n.unit, width, sizeof *n.unit},
            {&sums, classes * width, sizeof *sums},
        };
        status = elm_comm_agree_all(input->comm,
                                    elm_alloc_each(needs, sizeof needs / sizeof *needs, err), err);
    }
    if (status == 0 && sums != NULL) {
        find_means_all(&n, &embedded, sums, input);
        status = elm_predictions_count_all(input, score, &n, tally, err);
    }
    elm_embedding_set_release(&embedded);
    void *all[] = {n.mean, n.means, n.unit, sums};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
