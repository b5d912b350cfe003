/* lda: linear discriminant analysis on the training set's embeddings, with a uniform prior
 * (section 4.2 of the ELM paper made a classifier). */
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "eval/classifiers/lda_fit.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"

typedef struct lda {
    int classes, width;
    double *weights; /* [classes][width] */
    double *bias;    /* [classes] */
} lda;

static void score(const void *context, const float *embedding, const float *logits, double *scores)
{
    const lda *l = context;
    (void)logits;
#pragma omp parallel for schedule(static)
    for (int c = 0; c < l->classes; c++) {
        const double *weights = l->weights + (size_t)c * (size_t)l->width;
        double sum = l->bias[c];
        for (int k = 0; k < l->width; k++)
            sum += weights[k] * (double)embedding[k];
        scores[c] = sum;
    }
}

int elm_lda_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err)
{
    lda l = {.classes = input->test->info.classes, .width = elm_net_width(input->net)};
    const size_t classes = (size_t)l.classes;
    elm_embedding_set embedded;
    int status = elm_embed_all(input->net, input->train, input->comm, NULL, &embedded, err);
    if (status == 0) {
        const elm_need needs[] = {{&l.weights, classes * (size_t)l.width, sizeof *l.weights},
                                  {&l.bias, classes, sizeof *l.bias}};
        status = elm_comm_agree_all(input->comm,
                                    elm_alloc_each(needs, sizeof needs / sizeof *needs, err), err);
    }
    if (status == 0) {
        const elm_scatter_problem problem = {.embeddings = embedded.embeddings,
                                             .labels = embedded.labels,
                                             .local = embedded.count,
                                             .width = embedded.width,
                                             .count = input->train->count,
                                             .batch = elm_evaluation_batch(&input->train->info),
                                             .classes = l.classes,
                                             .class_count = input->train->class_count,
                                             .epsilon = input->settings->epsilon};
        elm_ticker_begin(elm_comm_ticker(input->comm), "covariances of the classes", 0);
        status = elm_lda_fit_all(&problem, input->comm, l.weights, l.bias, err);
    }
    elm_ticker_end(elm_comm_ticker(input->comm));
    elm_embedding_set_release(&embedded);
    if (status == 0)
        status = elm_predictions_count_all(input, score, &l, tally, err);
    void *all[] = {l.weights, l.bias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
