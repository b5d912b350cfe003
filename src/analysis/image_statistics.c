#include "analysis/image_statistics.h"

#include <math.h>
#include <stdlib.h>

#include "analysis/class_order.h"
#include "elmpi/memory.h"

enum { COLUMNS = 5 };

int elm_split_figures_create(elm_split_figures *f, const elm_dataset *dataset, elm_error *err)
{
    const size_t n = (size_t)dataset->count;
    *f = (elm_split_figures){.dataset = dataset, .count = dataset->count};
    double *at = f->memory = elm_alloc(COLUMNS * n, sizeof *f->memory, err);
    if (at == NULL)
        return -1;
    double **const columns[COLUMNS] = {&f->predicted, &f->margin, &f->confidence, &f->loss,
                                       &f->farthest};
    for (int c = 0; c < COLUMNS; c++, at += n)
        *columns[c] = at;
    return 0;
}

void elm_split_figures_release(elm_split_figures *f)
{
    elm_free(f->memory);
    *f = (elm_split_figures){0};
}

/* log of the sum of exp(f_c + shift_c). */
static double log_sum(const float *logits, const double *shift, int classes)
{
    double largest = -INFINITY, sum = 0;
    for (int c = 0; c < classes; c++)
        largest = fmax(largest, (double)logits[c] + (shift != NULL ? shift[c] : 0));
    for (int c = 0; c < classes; c++)
        sum += exp((double)logits[c] + (shift != NULL ? shift[c] : 0) - largest);
    return largest + log(sum);
}

void elm_split_figures_add(elm_split_figures *f, const elm_outputs *out, const double *shift)
{
    for (int i = 0; i < out->batch->share.local; i++) {
        const float *logits = out->logits + (size_t)i * (size_t)out->classes;
        const int label = out->batch->labels[i];
        const int64_t at = out->batch->members[out->batch->share.first + i];
        int best = 0, rival = label == 0 && out->classes > 1;
        for (int c = 1; c < out->classes; c++) {
            best = logits[c] > logits[best] ? c : best;
            rival = c != label && logits[c] > logits[rival] ? c : rival;
        }
        f->predicted[at] = best;
        f->margin[at] = (double)logits[label] - (double)logits[rival];
        f->confidence[at] = exp((double)logits[best] - log_sum(logits, NULL, out->classes));
        f->loss[at] = log_sum(logits, shift, out->classes) - (double)logits[label] - shift[label];
    }
}

void elm_split_figures_share_all(elm_split_figures *f, elm_comm *comm)
{
    /* each image was one rank's: 0 elsewhere */
    elm_comm_sum_all(comm, f->memory, COLUMNS * f->count);
}

static void calibrate(elm_quality *q, const elm_split_figures *f)
{
    for (int64_t i = 0; i < f->count; i++) {
        int bin = (int)ceil(f->confidence[i] * ELM_CALIBRATION_BINS) - 1;
        bin = bin < 0 ? 0 : bin >= ELM_CALIBRATION_BINS ? ELM_CALIBRATION_BINS - 1 : bin;
        q->bin_count[bin]++;
        q->bin_confidence[bin] += f->confidence[i];
        q->bin_accuracy[bin] += (int)f->predicted[i] == f->dataset->labels[i];
    }
    for (int b = 0; b < ELM_CALIBRATION_BINS; b++) {
        q->calibration_error += fabs(q->bin_accuracy[b] - q->bin_confidence[b]) / (double)f->count;
        q->bin_confidence[b] /= q->bin_count[b] > 0 ? q->bin_count[b] : 1;
        q->bin_accuracy[b] /= q->bin_count[b] > 0 ? q->bin_count[b] : 1;
    }
}

/* Counts by class. */
typedef struct counts {
    double *images, *predicted, *correct;
    int *by_frequency; /* classes, the most frequent of training first */
} counts;

static void score_f1(elm_quality *q, const counts *k, int classes)
{
    int present = 0;
    for (int c = 0; c < classes; c++) {
        if (k->images[c] + k->predicted[c] == 0)
            continue;
        present++;
        q->macro_f1 += 2 * k->correct[c] / (k->images[c] + k->predicted[c]);
    }
    q->macro_f1 /= present > 0 ? present : 1;
}

static void shift_priors(elm_quality *q, const counts *k, int classes)
{
    static const double imbalance[] = {50, 25, 10, 5, 2};
    enum { HALF = sizeof imbalance / sizeof *imbalance };
    _Static_assert(2 * HALF + 1 == ELM_SHIFTS, "forward, uniform, backward");
    for (int s = 0; s < ELM_SHIFTS; s++) {
        const bool forward = s < HALF;
        const double rho = s == HALF ? 1 : imbalance[forward ? s : ELM_SHIFTS - 1 - s];
        double sum = 0, weights = 0;
        for (int r = 0; r < classes; r++) {
            const int c = k->by_frequency[forward ? r : classes - 1 - r];
            if (k->images[c] == 0)
                continue;
            const double weight = pow(rho, classes > 1 ? -(double)r / (classes - 1) : 0);
            sum += weight * k->correct[c] / k->images[c];
            weights += weight;
        }
        q->shift_imbalance[s] = rho;
        q->shift_accuracy[s] = weights > 0 ? sum / weights : 0;
    }
}

static int by_pair(const void *a, const void *b)
{
    const elm_confusion *x = a, *y = b;
    return x->label != y->label ? x->label - y->label : x->predicted - y->predicted;
}

static int by_frequency(const void *a, const void *b)
{
    const elm_confusion *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : by_pair(a, b);
}

static int find_confusions(elm_quality *q, const elm_split_figures *f, elm_error *err)
{
    elm_confusion *pairs = elm_alloc((size_t)f->count, sizeof *pairs, err);
    int64_t wrong = 0, kinds = 0;
    if (pairs == NULL)
        return -1;
    for (int64_t i = 0; i < f->count; i++)
        if ((int)f->predicted[i] != f->dataset->labels[i])
            pairs[wrong++] = (elm_confusion){f->dataset->labels[i], (int32_t)f->predicted[i], 1};
    qsort(pairs, (size_t)wrong, sizeof *pairs, by_pair);
    for (int64_t i = 0; i < wrong; i++)
        if (kinds > 0 && by_pair(&pairs[kinds - 1], &pairs[i]) == 0)
            pairs[kinds - 1].count++;
        else
            pairs[kinds++] = pairs[i];
    qsort(pairs, (size_t)kinds, sizeof *pairs, by_frequency);
    q->confusions = (int)(kinds < ELM_CONFUSIONS ? kinds : ELM_CONFUSIONS);
    for (int i = 0; i < q->confusions; i++)
        q->confusion[i] = pairs[i];
    elm_free(pairs);
    return 0;
}

int elm_quality_of(elm_quality *q, const elm_split_figures *f, const int64_t *train_count,
                   elm_error *err)
{
    const int classes = f->dataset->info.classes;
    const size_t size = (size_t)classes;
    counts k = {0};
    *q = (elm_quality){0};
    const elm_need needs[] = {{&k.images, size, sizeof *k.images},
                              {&k.predicted, size, sizeof *k.predicted},
                              {&k.correct, size, sizeof *k.correct},
                              {&k.by_frequency, size, sizeof *k.by_frequency}};
    int status = elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
    if (status == 0)
        status = elm_class_order(k.by_frequency, train_count, classes, err);
    if (status == 0)
        status = find_confusions(q, f, err);
    if (status == 0) {
        for (int64_t i = 0; i < f->count; i++) {
            k.images[f->dataset->labels[i]]++;
            k.predicted[(int)f->predicted[i]]++;
            k.correct[f->dataset->labels[i]] += (int)f->predicted[i] == f->dataset->labels[i];
        }
        score_f1(q, &k, classes);
        shift_priors(q, &k, classes);
        calibrate(q, f);
    }
    void *all[] = {k.images, k.predicted, k.correct, k.by_frequency};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
