#include "report/figures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/long_tail.h"
#include "elmpi/memory.h"

enum { DENSITY_POINTS = 128, CDF_POINTS = 200 };

static void add_column(elm_figure *f, const elm_run_files *run, const char *panel,
                       const char *column, double factor)
{
    const elm_epochs *e = &run->epochs;
    const int x = elm_epochs_column(e, "epoch"), y = elm_epochs_column(e, column);
    for (int r = 0; x >= 0 && y >= 0 && r < e->rows; r++)
        elm_figure_add(f, panel, run->name, e->values[r * e->columns + x],
                       factor * e->values[r * e->columns + y]);
}

static void fill_loss(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        add_column(f, &runs[i], "training loss", "loss", 1);
        add_column(f, &runs[i], "training accuracy (%)", "train_accuracy", 100);
    }
}

static void fill_test(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        add_column(f, &runs[i], "test", "test_balanced_accuracy", 100);
        add_column(f, &runs[i], "held-out", "holdout_balanced_accuracy", 100);
    }
}

static void fill_groups(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const elm_evaluation_file *e = &runs[i].evaluation;
        if (e->images == 0)
            continue;
        elm_figure_add(f, "test accuracy", runs[i].name, 0, 100 * e->balanced);
        for (int g = 0; g < ELM_REPORT_GROUPS; g++)
            elm_figure_add(f, "test accuracy", runs[i].name, g + 1, 100 * e->group[g]);
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a split says of its images of one group, sorted. Returns how many. */
static int64_t take_group(const elm_analysis_file *a, const elm_split_file *s, const double *values,
                          double unit, int group, double *out)
{
    int64_t n = 0;
    for (int64_t i = 0; i < s->count; i++)
        if (elm_class_group((int64_t)a->train_count[(int)s->labels[i]]) == group)
            out[n++] = values[i] / unit;
    qsort(out, (size_t)n, sizeof *out, by_value);
    return n;
}

/* Gaussian kernels of Silverman's width. */
static void add_density(elm_figure *f, const char *panel, const char *series, const double *x,
                        int64_t n)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        mean += x[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - mean) * (x[i] - mean) / (double)n;
    const double quarter = (x[3 * n / 4] - x[n / 4]) / 1.34, deviation = sqrt(square);
    const double width =
        0.9 * (quarter > 0 && quarter < deviation ? quarter : deviation) * pow((double)n, -0.2);
    if (!(width > 0))
        return;
    const double low = x[0] - 2 * width, high = x[n - 1] + 2 * width;
    for (int p = 0; p < DENSITY_POINTS; p++) {
        const double at = low + (high - low) * p / (DENSITY_POINTS - 1);
        double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += exp(-0.5 * (at - x[i]) * (at - x[i]) / (width * width));
        elm_figure_add(f, panel, series, at, sum / ((double)n * width * 2.5066282746310002));
    }
}

static void add_cdf(elm_figure *f, const char *panel, const char *series, const double *x,
                    int64_t n)
{
    for (int p = 0; p <= CDF_POINTS; p++) {
        const int64_t i = (n - 1) * p / CDF_POINTS;
        elm_figure_add(f, panel, series, x[i], (double)(i + 1) / (double)n);
    }
}

typedef enum quantity { MARGIN, FARTHEST } quantity;

static void fill_distribution(elm_figure *f, const elm_run_files *runs, int count, bool training,
                              quantity what,
                              void (*add)(elm_figure *f, const char *panel, const char *series,
                                          const double *x, int64_t n))
{
    for (int i = 0; i < count; i++) {
        const elm_analysis_file *a = &runs[i].analysis;
        if (a->classes == 0)
            continue;
        const elm_split_file *s = training ? &a->train : &a->test;
        double *values = elm_alloc((size_t)s->count, sizeof *values, NULL);
        if (values == NULL)
            elm_figure_fail(f);
        for (int g = 0; values != NULL && g < ELM_REPORT_GROUPS; g++) {
            const int64_t n = take_group(a, s, what == MARGIN ? s->margin : s->farthest,
                                         what == MARGIN ? 1 : s->largest_norm, g, values);
            if (n > 3)
                add(f, elm_report_groups[g], runs[i].name, values, n);
        }
        elm_free(values);
    }
}

static void fill_margins(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_distribution(f, runs, count, false, MARGIN, add_density);
}

static void fill_train_margins(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_distribution(f, runs, count, true, MARGIN, add_density);
}

static void fill_margin_cdf(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_distribution(f, runs, count, false, MARGIN, add_cdf);
}

static void fill_distances(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_distribution(f, runs, count, true, FARTHEST, add_density);
}

static void fill_spectra(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const elm_analysis_file *a = &runs[i].analysis;
        double total = 0, sum = 0;
        for (int k = 0; k < a->width; k++)
            total += a->principal[k];
        for (int k = 0; k < a->width; k++) {
            if (a->fisher[k] > 0)
                elm_figure_add(f, "Fisher: between / within", runs[i].name, k + 1,
                               log10(a->fisher[k]));
        }
        for (int k = 0; k < a->width && total > 0; k++) {
            sum += a->principal[k];
            elm_figure_add(f, "principal components: variance explained (%)", runs[i].name, k + 1,
                           100 * sum / total);
        }
    }
}

static void fill_tsne(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const elm_analysis_file *a = &runs[i].analysis;
        for (int p = 0; p < a->points; p++) {
            const int c = (int)a->point_label[p];
            char series[256];
            snprintf(series, sizeof series, "%s (%s, %.0f)", a->names[c],
                     elm_report_groups[elm_class_group((int64_t)a->train_count[c])],
                     a->train_count[c]);
            elm_figure_add(f, runs[i].name, series, a->place[2 * p], a->place[2 * p + 1]);
        }
    }
}

static void fill_coverage(elm_figure *f, const elm_run_files *runs, int count)
{
    static const char *const columns[] = {"positives_head", "positives_torso", "positives_tail"};
    for (int i = 0; i < count; i++)
        for (int g = 0; g < ELM_REPORT_GROUPS; g++)
            if (elm_epochs_last(&runs[i].epochs, columns[0]) > 0)
                add_column(f, &runs[i], elm_report_groups[g], columns[g], 100);
}

static void fill_shift(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const elm_split_file *s = &runs[i].analysis.test;
        for (int k = 0; k < s->shifts; k++)
            elm_figure_add(f, "test accuracy", runs[i].name, k, 100 * s->shift_accuracy[k]);
    }
}

static void fill_calibration(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++) {
        const elm_split_file *s = &runs[i].analysis.test;
        for (int b = 0; b < s->bins; b++)
            if (s->bin_count[b] > 0)
                elm_figure_add(f, "test", runs[i].name, 100 * s->bin_confidence[b],
                               100 * s->bin_accuracy[b]);
    }
}

/* Whether a setting says what is computed, apart from the draw of random numbers. */
static bool counts(const char *key)
{
    return strcmp(key, "run.name") != 0 && strcmp(key, "run.seed") != 0 &&
           strncmp(key, "checkpoint.", 11) != 0;
}

/* Whether two runs were told the same, seeds, names and where they write aside, but perhaps for
 * one setting. */
static bool same_but(const elm_run_files *a, const elm_run_files *b, const char *key)
{
    if (a->settings != b->settings)
        return false;
    for (int s = 0; s < a->settings; s++) {
        const char *other = elm_run_setting(b, a->setting[s].key);
        if (other == NULL || (counts(a->setting[s].key) && strcmp(a->setting[s].key, key) != 0 &&
                              strcmp(other, a->setting[s].value) != 0))
            return false;
    }
    return true;
}

static bool same_value(const elm_run_files *a, const elm_run_files *b, const char *key)
{
    const char *left = elm_run_setting(a, key), *right = elm_run_setting(b, key);
    return left != NULL && right != NULL && strtod(left, NULL) == strtod(right, NULL);
}

/* Mean and deviation over the seeds of one value, which is the first run's; *first says whether
 * that is the first of them. */
static double seeds_of(const elm_run_files *runs, int count, int run, const char *key,
                       double *spread, bool *first)
{
    double sum = 0, squares = 0, n = 0;
    *first = true;
    for (int j = 0; j < count; j++) {
        if (runs[j].evaluation.images == 0 || !same_but(&runs[run], &runs[j], key) ||
            !same_value(&runs[run], &runs[j], key))
            continue;
        *first = *first && j >= run;
        sum += runs[j].evaluation.balanced;
        n++;
    }
    for (int j = 0; j < count; j++)
        if (runs[j].evaluation.images > 0 && same_but(&runs[run], &runs[j], key) &&
            same_value(&runs[run], &runs[j], key))
            squares +=
                (runs[j].evaluation.balanced - sum / n) * (runs[j].evaluation.balanced - sum / n);
    *spread = n > 1 ? sqrt(squares / (n - 1)) : 0;
    return sum / n;
}

/* The name of a sweep: its method, and a number where others of that method differ in further
 * settings. */
static bool sweep_name(const elm_run_files *runs, int count, int run, const char *key, char *name,
                       size_t size)
{
    const char *logit = elm_run_setting(&runs[run], "loss.logit"),
               *embed = elm_run_setting(&runs[run], "loss.embed");
    bool fellow = false;
    int earlier = 0;
    if (logit == NULL || embed == NULL)
        return false;
    for (int j = 0; j < count; j++)
        fellow = fellow ||
                 (same_but(&runs[run], &runs[j], key) && !same_value(&runs[run], &runs[j], key));
    for (int j = 0; j < run && !same_but(&runs[run], &runs[j], key); j++) {
        bool known = false; /* a sweep is counted at its first run */
        for (int k = 0; k < j; k++)
            known = known || same_but(&runs[j], &runs[k], key);
        const char *other_logit = elm_run_setting(&runs[j], "loss.logit"),
                   *other_embed = elm_run_setting(&runs[j], "loss.embed");
        earlier += !known && other_logit != NULL && other_embed != NULL &&
                   strcmp(logit, other_logit) == 0 && strcmp(embed, other_embed) == 0;
    }
    snprintf(name, size, earlier > 0 ? "%.40s + %.40s, other settings (%d)" : "%.40s + %.40s",
             logit, embed, earlier);
    return fellow;
}

typedef struct sweep_point {
    char series[128];
    double x, y, spread;
} sweep_point;

static int by_x(const void *a, const void *b)
{
    const sweep_point *left = a, *right = b;
    return (left->x > right->x) - (left->x < right->x);
}

/* A point for each value of the setting that has a fellow with another value and the same of all
 * others, seeds averaged. */
static void fill_sweep(elm_figure *f, const elm_run_files *runs, int count, const char *key,
                       const char *axis)
{
    sweep_point *points = elm_alloc((size_t)count, sizeof *points, NULL);
    int n = 0;
    if (points == NULL)
        elm_figure_fail(f);
    for (int i = 0; points != NULL && i < count; i++) {
        sweep_point *p = &points[n];
        const char *value = elm_run_setting(&runs[i], key);
        bool first;
        if (value == NULL || runs[i].evaluation.images == 0 ||
            !sweep_name(runs, count, i, key, p->series, sizeof p->series))
            continue;
        p->x = strtod(value, NULL);
        p->y = 100 * seeds_of(runs, count, i, key, &p->spread, &first);
        p->spread *= 100;
        n += first;
    }
    if (n > 0)
        qsort(points, (size_t)n, sizeof *points, by_x);
    for (int i = 0; i < n; i++)
        elm_figure_add_mean(f, axis, points[i].series, points[i].x, points[i].y, points[i].spread);
    elm_free(points);
}

static void fill_lambda(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_sweep(f, runs, count, "loss.lambda", "weight of the embedding term");
}

static void fill_scale(elm_figure *f, const elm_run_files *runs, int count)
{
    fill_sweep(f, runs, count, "loss.pull.scale", "scale of the embedding margin");
}

static void fill_speed(elm_figure *f, const elm_run_files *runs, int count)
{
    for (int i = 0; i < count; i++)
        add_column(f, &runs[i], "training", "images_per_s", 1);
}

static const char *const group_ticks[] = {"all, balanced", "head", "torso", "tail", NULL};
static const char *const shift_ticks[] = {"50", "25", "10", "5",  "2",  "uniform",
                                          "2",  "5",  "10", "25", "50", NULL};

const elm_figure_row elm_figure_rows[] = {
    {{.id = "training",
      .title = "Training",
      .caption = "Means over an epoch's images.",
      .x_label = "epoch",
      .y_label = ""},
     fill_loss},
    {{.id = "accuracy",
      .title = "Balanced accuracy by epoch",
      .caption = "Mean of the classes' accuracies where a run measured it.",
      .x_label = "epoch",
      .y_label = "balanced accuracy (%)",
      .percent = true,
      .style = ELM_FIGURE_MARKS},
     fill_test},
    {{.id = "groups",
      .title = "Head, torso and tail (Figure 2)",
      .caption = "Mean accuracy of classes with at least 100, 20 to 99 and under 20 training "
                 "images, after training.",
      .x_label = "classes",
      .y_label = "accuracy (%)",
      .style = ELM_FIGURE_BARS,
      .ticks = group_ticks},
     fill_groups},
    {{.id = "margins",
      .title = "Logit margins of test images (Figure 3)",
      .caption = "Density of &gamma;(x, y) = f<sub>y</sub>(x) &minus; max<sub>y'&ne;y</sub> "
                 "f<sub>y'</sub>(x); left of 0 the prediction is wrong.",
      .x_label = "logit margin",
      .y_label = "density"},
     fill_margins},
    {{.id = "train-margins",
      .title = "Logit margins of training images (Figure 3)",
      .caption = "As above, for the training set.",
      .x_label = "logit margin",
      .y_label = "density"},
     fill_train_margins},
    {{.id = "margin-cdf",
      .title = "Logit margins, cumulative (Figure 6)",
      .caption = "Share of test images with a margin of at most so much.",
      .x_label = "logit margin",
      .y_label = "share of images"},
     fill_margin_cdf},
    {{.id = "distances",
      .title = "Largest distances within a class (Figure 4)",
      .caption = "Density of d<sub>max</sub>(x), the distance to the farthest training image of "
                 "the same class, over the largest norm.",
      .x_label = "largest distance / largest norm",
      .y_label = "density"},
     fill_distances},
    {{.id = "tsne",
      .title = "Embeddings in the plane (Figure 5)",
      .caption = "t-SNE (perplexity 30, from principal components) of training images of some "
                 "classes; distances between far groups mean nothing.",
      .x_label = "",
      .y_label = "",
      .style = ELM_FIGURE_DOTS,
      .no_axes = true,
      .columns = 3},
     fill_tsne},
    {{.id = "spectra",
      .title = "Spectra of the training embeddings",
      .caption = "Left: log<sub>10</sub> of the generalised eigenvalues of the covariance of class "
                 "means over that within classes. Right: "
                 "of all images' covariance.",
      .x_label = "number",
      .y_label = ""},
     fill_spectra},
    {{.id = "coverage",
      .title = "Anchors with a partner",
      .caption = "Share of training images that met another of their class in their batch.",
      .x_label = "epoch",
      .y_label = "anchors with a positive (%)",
      .percent = true},
     fill_coverage},
    {{.id = "shift",
      .title = "Other test distributions",
      .caption = "Accuracy if test classes were long-tailed as in training (left) or the other way "
                 "round (right), as SADE and LADE report.",
      .x_label = "imbalance of the test set: forward, uniform, backward",
      .y_label = "accuracy (%)",
      .percent = true,
      .style = ELM_FIGURE_MARKS,
      .ticks = shift_ticks},
     fill_shift},
    {{.id = "calibration",
      .title = "Calibration",
      .caption = "Accuracy of test predictions by their softmax probability, in 15 bins.",
      .x_label = "mean confidence (%)",
      .y_label = "accuracy (%)",
      .style = ELM_FIGURE_MARKS,
      .diagonal = true},
     fill_calibration},
    {{.id = "lambda",
      .title = "Weight of the embedding term (Figure 7)",
      .caption = "Runs that differ in <code>loss.lambda</code>; of several seeds the mean, with "
                 "the standard deviation.",
      .x_label = "lambda",
      .y_label = "balanced accuracy (%)",
      .percent = true,
      .style = ELM_FIGURE_MARKS,
      .log_x = true},
     fill_lambda},
    {{.id = "scale",
      .title = "Scale of the embedding margin",
      .caption = "Runs that differ in <code>loss.pull.scale</code>; of several seeds the mean, "
                 "with the standard deviation.",
      .x_label = "scale",
      .y_label = "balanced accuracy (%)",
      .percent = true,
      .style = ELM_FIGURE_MARKS,
      .log_x = true},
     fill_scale},
    {{.id = "speed",
      .title = "Speed",
      .caption = "Images a second over each epoch, of all ranks together.",
      .x_label = "epoch",
      .y_label = "images/s"},
     fill_speed},
    {{0}, NULL},
};
