#include "elmpi/analysis.h"

#include <math.h>
#include <string.h>

#include "analysis/class_statistics.h"
#include "analysis/split_state.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"

enum { CLASS_COLUMNS = 5 };

static void release_split(elm_analysis_split *s)
{
    elm_embedding_set_release(&s->embedded);
    elm_split_figures_release(&s->images);
    elm_class_rows_release(&s->rows);
    elm_free(s->classes.memory);
}

static int create_split(elm_analysis_split *s, elm_error *err)
{
    const size_t classes = (size_t)s->dataset->info.classes,
                 width = (size_t)elm_net_width(s->in->net);
    elm_class_figures *c = &s->classes;
    if (elm_embedding_set_create(&s->embedded, s->dataset, s->in->comm, (int)width, err) != 0 ||
        elm_split_figures_create(&s->images, s->dataset, err) != 0)
        return -1;
    double *at = c->memory = elm_alloc(classes * (CLASS_COLUMNS + width), sizeof *c->memory, err);
    if (at == NULL)
        return -1;
    double **const columns[] = {&c->images, &c->trace, &c->distance,
                                &c->pull,   &c->bound, &c->means};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++, at += classes)
        *columns[i] = at;
    return 0;
}

/* phi / |phi|, where the job's pull term is over directions. */
static void normalize(float *row, int width)
{
    double square = 0;
    for (int k = 0; k < width; k++)
        square += (double)row[k] * (double)row[k];
    for (int k = 0; k < width && square > 0; k++)
        row[k] = (float)((double)row[k] / sqrt(square));
}

static int take_batch(void *context, const elm_outputs *out, elm_error *err)
{
    elm_analysis_split *s = context;
    const int64_t before = s->embedded.count;
    (void)err;
    elm_embedding_set_keep(&s->embedded, out);
    elm_split_figures_add(&s->images, out, s->shift);
    for (int64_t i = before; s->in->loss->pull_normalize && i < s->embedded.count; i++)
        normalize(s->embedded.embeddings + (size_t)i * (size_t)out->width, out->width);
    return 0;
}

/* This rank's classes; a class of which others hold the images stays 0. */
static void look_at_classes(elm_analysis_split *s, double *scratch)
{
    const elm_class_rows *r = &s->rows;
    elm_class_figures *f = &s->classes;
    for (int c = 0; c < r->classes; c++) {
        const int64_t first = r->first[c], n = r->first[c + 1] - first;
        if (n == 0)
            continue;
        const elm_class_statistics found =
            elm_class_statistics_of(r->rows + first, n, r->width, s->alpha[c],
                                    f->means + (size_t)c * (size_t)r->width, scratch);
        f->images[c] = (double)n;
        f->trace[c] = found.trace;
        f->distance[c] = found.distance;
        f->pull[c] = found.pull;
        f->bound[c] = n > 1 ? found.bound : 0;
        for (int64_t i = 0; i < n; i++)
            s->images.farthest[r->members[first + i]] = scratch[i];
    }
    for (int64_t i = 0; i < r->count; i++) {
        double square = 0;
        for (int k = 0; k < r->width; k++)
            square += (double)r->rows[i][k] * (double)r->rows[i][k];
        f->largest_norm = fmax(f->largest_norm, sqrt(square));
    }
}

/* Passes a split through the network and computes everything about its images and classes. */
static int study_all(elm_analysis_split *s, elm_error *err)
{
    elm_comm *comm = s->in->comm;
    const int classes = s->dataset->info.classes, width = elm_net_width(s->in->net);
    int status = create_split(s, err);
    if (status == 0)
        status = elm_forward_pass(s->in->net, s->dataset, comm, NULL, NULL, take_batch, s, err);
    if (elm_comm_agree_all(comm, status, err) != 0 ||
        elm_class_rows_all(&s->rows, &s->embedded, s->dataset->class_count, classes, comm, err) !=
            0)
        return -1;
    double *scratch = elm_alloc((size_t)s->rows.count, sizeof *scratch, err);
    status = elm_comm_agree_all(comm, scratch != NULL ? 0 : -1, err);
    if (status == 0 && scratch != NULL) {
        elm_ticker_begin(elm_comm_ticker(comm), "analysis of distances and margins", 0);
        look_at_classes(s, scratch);
        elm_split_figures_share_all(&s->images, comm);
        elm_comm_sum_all(comm, s->classes.memory, (int64_t)classes * (CLASS_COLUMNS + width));
        elm_comm_max_all(comm, &s->classes.largest_norm, 1);
    }
    elm_free(scratch);
    return status;
}

static int find_spectrum_all(const elm_analysis_split *s, elm_spectrum *spectrum, elm_error *err)
{
    const elm_scatter_problem problem = {.embeddings = s->embedded.embeddings,
                                         .labels = s->embedded.labels,
                                         .local = s->embedded.count,
                                         .width = s->embedded.width,
                                         .count = s->dataset->count,
                                         .batch = elm_evaluation_batch(&s->dataset->info),
                                         .classes = s->dataset->info.classes,
                                         .class_count = s->dataset->class_count,
                                         .epsilon = s->in->epsilon};
    return elm_spectrum_find_all(spectrum, &problem, s->in->comm, err);
}

/* Margins of the pull term, and what is added to the logits before the logit loss: tau log pi
 * for logadj, nothing for others. */
static int find_margins(const elm_analysis_input *in, double *alpha, double *shift, elm_error *err)
{
    const elm_dataset *d = in->train;
    const bool adjusted = strcmp(in->loss->logit, "logadj") == 0;
    for (int c = 0; c < d->info.classes; c++)
        shift[c] = adjusted && d->class_count[c] > 0
                       ? in->loss->logadj_tau * log((double)d->class_count[c] / (double)d->count)
                       : 0;
    return elm_loss_pull_margins(
        in->loss, (elm_class_counts){d->info.classes, d->class_count, d->count}, alpha, err);
}

static int analyze_all(const elm_analysis_input *in, const double *alpha, const double *shift,
                       elm_table_file *file, elm_error *err)
{
    elm_analysis_split train = {
        .in = in, .name = "train", .dataset = in->train, .shift = shift, .alpha = alpha};
    elm_analysis_split test = {
        .in = in, .name = in->test_split, .dataset = in->test, .shift = shift, .alpha = alpha};
    elm_spectrum spectrum = {0};
    int status = study_all(&train, err);
    if (status == 0)
        status = study_all(&test, err);
    elm_ticker_begin(elm_comm_ticker(in->comm), "analysis of the spectrum", 0);
    if (status == 0)
        status = find_spectrum_all(&train, &spectrum, err);
    if (status == 0 && file != NULL)
        status = elm_analysis_put(file, &train, &test, &spectrum, err);
    status = elm_comm_agree_all(in->comm, status, err);
    elm_ticker_begin(elm_comm_ticker(in->comm), "t-SNE", 0);
    if (status == 0 && in->tsne_classes > 0)
        status = elm_tsne_write_all(&train, &spectrum, file, err);
    elm_ticker_end(elm_comm_ticker(in->comm));
    elm_spectrum_release(&spectrum);
    release_split(&train);
    release_split(&test);
    return status;
}

int elm_analysis_write_all(const elm_analysis_input *in, const char *path, elm_error *err)
{
    const bool writes = elm_comm_rank(in->comm) == 0;
    const int classes = in->train->info.classes;
    elm_table_file *file = NULL;
    double *alpha = elm_alloc(2 * (size_t)classes, sizeof *alpha, err),
           *shift = alpha != NULL ? alpha + classes : NULL;
    int status = shift != NULL ? find_margins(in, alpha, shift, err) : -1;
    if (status == 0 && writes)
        status = elm_table_file_create(&file, path, "elmpi-analysis", err);
    status = elm_comm_agree_all(in->comm, status, err);
    if (status == 0)
        status = analyze_all(in, alpha, shift, file, err);
    if (file != NULL)
        status = elm_table_file_close(file, status, err);
    elm_free(alpha);
    return elm_comm_agree_all(in->comm, status, err);
}
