/* What an analysis found, as arrays and attributes (docs/analysis.md). Rank 0's. */
#include <math.h>
#include <stdio.h>

#include "analysis/neural_collapse.h"
#include "analysis/split_state.h"
#include "elmpi/memory.h"
#include "nn/last_layer.h"

enum { NAME = 256 };
static const double confidence_left = 0.05; /* delta of Proposition 2 */

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
    elm_table_file_text(file, "/", "weights", in->weights);
    elm_table_file_text(file, "/", "name", in->name);
    elm_table_file_text(file, "/", "dataset", in->train->info.dataset);
    elm_table_file_text(file, "/", "test_split", in->test_split);
    elm_table_file_number(file, "/", "normalised", in->loss->pull_normalize);
    elm_table_file_array(file, "/classes/train_count", ELM_TABLE_INT64, classes, 0,
                         in->train->class_count);
    elm_table_file_array(file, "/classes/alpha", ELM_TABLE_DOUBLE, classes, 0, alpha);
    elm_table_file_texts(file, "/classes/name", (const char *const *)in->train->class_names,
                         classes);
}

static void put(elm_table_file *file, const elm_analysis_split *s, const char *what,
                const double *values, int64_t count)
{
    char name[NAME];
    snprintf(name, sizeof name, "/%s/%s", s->name, what);
    elm_table_file_array(file, name, ELM_TABLE_DOUBLE, count, 0, values);
}

static void write_quality(elm_table_file *file, const elm_analysis_split *s, const char *group,
                          const elm_quality *q)
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
    if (q->confusions > 0)
        elm_table_file_array(file, name, ELM_TABLE_INT64, q->confusions, 3, pairs);
}

/* A split's images, classes and figures. */
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
        elm_collapse_of(&collapse, f->means, weight != NULL ? weight->data : NULL, f->images,
                        classes, elm_net_width(s->in->net), err) != 0)
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

static double dot(const float *a, const float *b, int width)
{
    double sum = 0;
    for (int k = 0; k < width; k++)
        sum += (double)a[k] * (double)b[k];
    return sum;
}

/* The bound of two classes as printed: f = (w_1 - w_0) Phi + b. */
static void write_binary_bound(elm_table_file *file, const elm_analysis_split *s,
                               const float *weight, double largest, double mean, double pull)
{
    const int width = elm_net_width(s->in->net);
    const float *zero = weight, *one = weight + width;
    const double norm = dot(zero, zero, width) + dot(one, one, width) - 2 * dot(zero, one, width),
                 log_term = log(2 / confidence_left);
    double single = 0;
    for (int c = 0; c < 2; c++) {
        const double n = s->classes.images[c];
        single += n > 1 ? n / (double)s->images.count / (n - 1) : INFINITY;
    }
    const double first = 7 * largest * log_term / 3 * single, last = sqrt(norm * log_term * pull);
    elm_table_file_number(file, "/proposition_2", "delta", confidence_left);
    elm_table_file_number(file, "/proposition_2", "first_term", first);
    elm_table_file_number(file, "/proposition_2", "last_term", last);
    elm_table_file_number(file, "/proposition_2", "bound", first + mean + last);
}

/* Proposition 2: each class's terms, and the bound itself where there are two. */
static int write_bound(elm_table_file *file, const elm_analysis_split *s, elm_error *err)
{
    const int classes = s->dataset->info.classes, width = elm_net_width(s->in->net);
    const elm_class_figures *f = &s->classes;
    const elm_tensor *layer = elm_last_layer(s->in->net, "fc.weight");
    double largest = 0, mean = 0, pull = 0;
    double *terms = elm_alloc(2 * (size_t)classes, sizeof *terms, err);
    if (terms == NULL)
        return -1;
    double *traces = terms + classes;
    for (int64_t i = 0; i < s->images.count; i++) {
        largest = fmax(largest, s->images.loss[i]);
        mean += s->images.loss[i] / (double)s->images.count;
    }
    for (int c = 0; c < classes; c++) {
        const float *w = layer != NULL ? layer->data + (size_t)c * (size_t)width : NULL;
        /* pi_y / n_y = 1 / N */
        terms[c] = f->images[c] > 0 ? (f->pull[c] + s->alpha[c]) / (double)s->images.count : 0;
        traces[c] = w != NULL ? dot(w, w, width) * f->trace[c] : NAN;
        pull += terms[c];
    }
    elm_table_file_array(file, "/proposition_2/pull_term", ELM_TABLE_DOUBLE, classes, 0, terms);
    elm_table_file_array(file, "/proposition_2/weighted_trace", ELM_TABLE_DOUBLE, classes, 0,
                         traces);
    elm_table_file_number(file, "/proposition_2", "largest_loss", largest);
    elm_table_file_number(file, "/proposition_2", "mean_loss", mean);
    if (classes == 2 && layer != NULL)
        write_binary_bound(file, s, layer->data, largest, mean, pull);
    elm_free(terms);
    return 0;
}

int elm_analysis_put(elm_table_file *file, const elm_analysis_split *train,
                     const elm_analysis_split *test, const elm_spectrum *spectrum, elm_error *err)
{
    write_head(file, train->in, train->alpha);
    write_spectrum(file, spectrum);
    return write_split(file, train, err) != 0 || write_split(file, test, err) != 0 ||
                   write_bound(file, train, err) != 0
               ? -1
               : 0;
}
