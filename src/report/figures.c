#include "report/figures.h"

#include <math.h>
#include <stdio.h>

#include "base/long_tail.h"
#include "report/distributions.h"
#include "report/sweeps.h"

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

static void fill_margins(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_density(f, runs, count, false, ELM_FIGURE_MARGIN);
}

static void fill_train_margins(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_density(f, runs, count, true, ELM_FIGURE_MARGIN);
}

static void fill_margin_cdf(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_cumulative(f, runs, count, false, ELM_FIGURE_MARGIN);
}

static void fill_distances(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_density(f, runs, count, true, ELM_FIGURE_FARTHEST);
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

static void fill_lambda(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_sweep(f, runs, count, "loss.lambda", "weight of the embedding term");
}

static void fill_scale(elm_figure *f, const elm_run_files *runs, int count)
{
    elm_figure_sweep(f, runs, count, "loss.pull.scale", "scale of the embedding margin");
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
      .caption = "Left: log<sub>10</sub> of the generalized eigenvalues of the covariance of class "
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
