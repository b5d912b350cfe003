#include "elmpi/analysis.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "eval/analysis_split.h"
#include "eval/class_statistics.h"
#include "eval/collapse.h"
#include "eval/last_layer.h"

enum { NAME = 256, CLASS_COLUMNS = 5 };
static const double confidence_left = 0.05; /* delta of Proposition 2 */

static void release_split(elm_analysis_split *s)
{
    elm_embedded_release(&s->embedded);
    elm_split_figures_release(&s->images);
    elm_class_rows_release(&s->rows);
    elm_free(s->classes.memory);
}

static int create_split(elm_analysis_split *s, elm_error *err)
{
    const size_t classes = (size_t)s->dataset->info.classes, width = (size_t)elm_net_width(s->in->net);
    elm_class_figures *c = &s->classes;
    if (elm_embedded_create(&s->embedded, s->dataset, s->in->comm, (int)width, err) != 0 ||
        elm_split_figures_create(&s->images, s->dataset, err) != 0)
        return -1;
    double *at = c->memory = elm_alloc(classes * (CLASS_COLUMNS + width), sizeof *c->memory, err);
    if (at == NULL)
        return -1;
    double **const columns[] = {&c->images, &c->trace, &c->distance, &c->pull, &c->bound, &c->means};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++, at += classes)
        *columns[i] = at;
    return 0;
}

/* phi / |phi|, where the job's pull term is over directions. */
static void normalise(float *row, int width)
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
    elm_embedded_keep(&s->embedded, out);
    elm_split_figures_add(&s->images, out, s->shift);
    for (int64_t i = before; s->in->loss->pull_normalize && i < s->embedded.count; i++)
        normalise(s->embedded.embeddings + (size_t)i * (size_t)out->width, out->width);
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
            elm_class_statistics_of(r->rows + first, n, r->width, s->alpha[c], f->means + (size_t)c * (size_t)r->width, scratch);
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
        status = elm_outputs_pass(s->in->net, s->dataset, comm, NULL, take_batch, s, err);
    if (elm_comm_agree_all(comm, status, err) != 0 ||
        elm_class_rows_all(&s->rows, &s->embedded, s->dataset->class_count, classes, comm, err) != 0)
        return -1;
    double *scratch = elm_alloc((size_t)s->rows.count, sizeof *scratch, err);
    status = elm_comm_agree_all(comm, scratch != NULL ? 0 : -1, err);
    if (status == 0 && scratch != NULL) {
        look_at_classes(s, scratch);
        elm_split_figures_share_all(&s->images, comm);
        elm_comm_sum_all(comm, s->classes.memory, (int64_t)classes * (CLASS_COLUMNS + width));
        elm_comm_max_all(comm, &s->classes.largest_norm, 1);
    }
    elm_free(scratch);
    return status;
}

static void put(elm_table_file *file, const elm_analysis_split *s, const char *what, const double *values, int64_t count)
{
    char name[NAME];
    snprintf(name, sizeof name, "/%s/%s", s->name, what);
    elm_table_file_array(file, name, ELM_TABLE_DOUBLE, count, 0, values);
}

static void write_quality(elm_table_file *file, const elm_analysis_split *s, const char *group, const elm_quality *q)
{
    char name[NAME];
    elm_table_file_number(file, group, "macro_f1", q->macro_f1);
    elm_table_file_number(file, group, "calibration_error", q->calibration_error);
    put(file, s, "calibration/count", q->bin_count, ELM_CALIBRATION_BINS);
    put(file, s, "calibration/confidence", q->bin_confidence, ELM_CALIBRATION_BINS);
    put(file, s, "calibration/accuracy", q->bin_accuracy, ELM_CALIBRATION_BINS);
    put(file, s, "shift/imbalance", q->shift_imbalance, ELM_SHIFTS);
    put(file, s, "shift/accuracy", q->shift_accuracy, ELM_SHIFTS);
    int64_t pairs[ELM_CONFUSIONS][3];
    for (int i = 0; i < q->confusions; i++) {
        pairs[i][0] = q->confusion[i].label;
        pairs[i][1] = q->confusion[i].predicted;
        pairs[i][2] = q->confusion[i].count;
    }
    snprintf(name, sizeof name, "/%s/confusions", s->name);
    elm_table_file_array(file, name, ELM_TABLE_INT64, q->confusions, 3, pairs);
}

/* Rank 0's: the split's images, classes and figures. */
static int write_split(elm_table_file *file, const elm_analysis_split *s, elm_error *err)
{
    const int classes = s->dataset->info.classes;
    const elm_class_figures *f = &s->classes;
    elm_quality quality;
    elm_collapse collapse;
    char group[NAME], name[NAME];
    const elm_tensor *weight = elm_last_layer(s->in->net, "fc.weight");
    snprintf(group, sizeof group, "/%s", s->name);
    if (elm_quality_of(&quality, &s->images, s->in->train->class_count, err) != 0 ||
        elm_collapse_of(&collapse, f->means, weight != NULL ? weight->data : NULL, f->images, classes, elm_net_width(s->in->net), err) != 0)
        return -1;
    snprintf(name, sizeof name, "/%s/labels", s->name);
    elm_table_file_array(file, name, ELM_TABLE_INT32, s->dataset->count, 0, s->dataset->labels);
    put(file, s, "predicted", s->images.predicted, s->images.count);
    put(file, s, "margin", s->images.margin, s->images.count);
    put(file, s, "confidence", s->images.confidence, s->images.count);
    put(file, s, "loss", s->images.loss, s->images.count);
    put(file, s, "farthest", s->images.farthest, s->images.count);
    put(file, s, "class/images", f->images, classes);
    put(file, s, "class/trace", f->trace, classes);
    put(file, s, "class/distance", f->distance, classes);
    put(file, s, "class/pull", f->pull, classes);
    put(file, s, "class/bound", f->bound, classes);
    double intra = 0, present = 0;
    for (int c = 0; c < classes; c++) {
        intra += f->distance[c];
        present += f->images[c] > 0;
    }
    const struct {
        const char *name;
        double value;
    } numbers[] = {
        {"largest_norm", f->largest_norm},
        {"inter_class_distance", collapse.inter},
        {"intra_class_distance", intra / present},
        {"inter_intra_ratio", collapse.inter / (intra / present)},
        {"collapse_equal_norms", collapse.equal_norms},
        {"collapse_equal_angles", collapse.equal_angles},
        {"collapse_widest_angles", collapse.widest_angles},
        {"collapse_duality", collapse.duality},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        elm_table_file_number(file, group, numbers[i].name, numbers[i].value);
    write_quality(file, s, group, &quality);
    return 0;
}

/* Proposition 2. Two classes: the bound as printed, f = (w_1 - w_0) Phi + b. More: each class's terms. */
static int write_bound(elm_table_file *file, const elm_analysis_split *s, elm_error *err)
{
    const int classes = s->dataset->info.classes, width = elm_net_width(s->in->net);
    const elm_class_figures *f = &s->classes;
    const elm_tensor *weight = elm_last_layer(s->in->net, "fc.weight");
    double largest = 0, empirical = 0, single = 0, terms = 0, norm = 0;
    double *pulls = elm_alloc(2 * (size_t)classes, sizeof *pulls, err), *spreads = pulls != NULL ? pulls + classes : NULL;
    if (pulls == NULL || spreads == NULL)
        return -1;
    for (int64_t i = 0; i < s->images.count; i++) {
        largest = fmax(largest, s->images.loss[i]);
        empirical += s->images.loss[i] / (double)s->images.count;
    }
    for (int c = 0; c < classes; c++) {
        const double prior = f->images[c] / (double)s->images.count;
        pulls[c] = f->images[c] > 0 ? prior / f->images[c] * (f->pull[c] + s->alpha[c]) : 0;
        terms += pulls[c];
        single += f->images[c] > 1 ? prior / (f->images[c] - 1) : INFINITY;
        double square = NAN;
        for (int k = 0; weight != NULL && k < width; k++) {
            const double w = (double)weight->data[(size_t)c * (size_t)width + (size_t)k];
            square = k == 0 ? w * w : square + w * w;
        }
        spreads[c] = square * f->trace[c];
    }
    elm_table_file_array(file, "/proposition_2/pull_term", ELM_TABLE_DOUBLE, classes, 0, pulls);
    elm_table_file_array(file, "/proposition_2/weighted_trace", ELM_TABLE_DOUBLE, classes, 0, spreads);
    elm_table_file_number(file, "/proposition_2", "largest_loss", largest);
    elm_table_file_number(file, "/proposition_2", "mean_loss", empirical);
    for (int k = 0; classes == 2 && weight != NULL && k < width; k++) {
        const double w = (double)weight->data[width + k] - (double)weight->data[k];
        norm += w * w;
    }
    if (classes == 2 && weight != NULL) {
        const double log_term = log(2 / confidence_left), first = 7 * largest * log_term / 3 * single;
        elm_table_file_number(file, "/proposition_2", "delta", confidence_left);
        elm_table_file_number(file, "/proposition_2", "first_term", first);
        elm_table_file_number(file, "/proposition_2", "last_term", sqrt(norm * log_term * terms));
        elm_table_file_number(file, "/proposition_2", "bound", first + empirical + sqrt(norm * log_term * terms));
    }
    elm_free(pulls);
    return 0;
}

#ifdef ELMPI_HAVE_SCALAPACK
static int find_spectrum_all(const elm_analysis_split *s, elm_spectrum *spectrum, elm_error *err)
{
    const elm_scatter_problem problem = {.embedded = &s->embedded,
                                         .count = s->dataset->count,
                                         .batch = elm_evaluation_batch(&s->dataset->info),
                                         .classes = s->dataset->info.classes,
                                         .class_count = s->dataset->class_count,
                                         .epsilon = s->in->epsilon};
    return elm_spectrum_find_all(spectrum, &problem, s->in->comm, err);
}
#else
static int find_spectrum_all(const elm_analysis_split *s, elm_spectrum *spectrum, elm_error *err)
{
    (void)s;
    (void)err;
    *spectrum = (elm_spectrum){0};
    return 0;
}
void elm_spectrum_release(elm_spectrum *spectrum)
{
    (void)spectrum;
}
#endif

static void write_spectrum(elm_table_file *file, const elm_spectrum *s)
{
    if (s->width == 0) /* a build without ScaLAPACK */
        return;
    elm_table_file_array(file, "/spectrum/principal", ELM_TABLE_DOUBLE, s->width, 0, s->principal);
    elm_table_file_array(file, "/spectrum/fisher", ELM_TABLE_DOUBLE, s->width, 0, s->fisher);
    elm_table_file_number(file, "/spectrum", "collapse_variability", s->collapse);
}

static void write_head(elm_table_file *file, const elm_analysis_input *in, const double *alpha)
{
    const int classes = in->train->info.classes;
    elm_table_file_text(file, "/", "checkpoint", in->checkpoint);
    elm_table_file_text(file, "/", "name", in->name);
    elm_table_file_text(file, "/", "dataset", in->train->info.dataset);
    elm_table_file_text(file, "/", "test_split", in->test_split);
    elm_table_file_number(file, "/", "normalised", in->loss->pull_normalize);
    elm_table_file_array(file, "/classes/train_count", ELM_TABLE_INT64, classes, 0, in->train->class_count);
    elm_table_file_array(file, "/classes/alpha", ELM_TABLE_DOUBLE, classes, 0, alpha);
    elm_table_file_texts(file, "/classes/name", (const char *const *)in->train->class_names, classes);
}

/* Margins of the pull term, and what is added to the logits before the logit loss: tau log pi for logadj, nothing for others. */
static int find_margins(const elm_analysis_input *in, double *alpha, double *shift, elm_error *err)
{
    const elm_dataset *d = in->train;
    const bool adjusted = strcmp(in->loss->logit, "logadj") == 0;
    for (int c = 0; c < d->info.classes; c++)
        shift[c] = adjusted && d->class_count[c] > 0 ? in->loss->logadj_tau * log((double)d->class_count[c] / (double)d->count) : 0;
    return elm_loss_pull_margins(in->loss, (elm_class_counts){d->info.classes, d->class_count, d->count}, alpha, err);
}

static int analyse_all(const elm_analysis_input *in, const double *alpha, const double *shift, elm_table_file *file, elm_error *err)
{
    elm_analysis_split train = {.in = in, .name = "train", .dataset = in->train, .shift = shift, .alpha = alpha};
    elm_analysis_split test = {.in = in, .name = in->test_split, .dataset = in->test, .shift = shift, .alpha = alpha};
    elm_spectrum spectrum = {0};
    int status = study_all(&train, err);
    if (status == 0)
        status = study_all(&test, err);
    if (status == 0)
        status = find_spectrum_all(&train, &spectrum, err);
    if (status == 0 && file != NULL) {
        write_head(file, in, alpha);
        write_spectrum(file, &spectrum);
        status = write_split(file, &train, err) != 0 || write_split(file, &test, err) != 0 || write_bound(file, &train, err) != 0 ? -1 : 0;
    }
    status = elm_comm_agree_all(in->comm, status, err);
    if (status == 0 && in->tsne_classes > 0)
        status = elm_class_picture_write_all(&train, &spectrum, file, err);
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
    double *alpha = elm_alloc(2 * (size_t)classes, sizeof *alpha, err), *shift = alpha != NULL ? alpha + classes : NULL;
    int status = shift != NULL ? find_margins(in, alpha, shift, err) : -1;
    if (status == 0 && writes)
        status = elm_table_file_create(&file, path, "elmpi-analysis", err);
    status = elm_comm_agree_all(in->comm, status, err);
    if (status == 0)
        status = analyse_all(in, alpha, shift, file, err);
    if (file != NULL)
        status = elm_table_file_close(file, status, err);
    elm_free(alpha);
    return elm_comm_agree_all(in->comm, status, err);
}
