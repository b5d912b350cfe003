#include "report/distributions.h"

#include <math.h>
#include <stdlib.h>

#include "base/long_tail.h"
#include "elmpi/memory.h"

enum { DENSITY_POINTS = 128, CDF_POINTS = 200 };

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
    const double quarter = (x[3 * n / 4] - x[n / 4]) / 1.34, std = sqrt(square);
    const double width =
        0.9 * (quarter > 0 && quarter < std ? quarter : std) * pow((double)n, -0.2);
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

static void fill_distribution(elm_figure *f, const elm_run_files *runs, int count, bool training,
                              elm_figure_quantity what,
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
            const int64_t n =
                take_group(a, s, what == ELM_FIGURE_MARGIN ? s->margin : s->farthest,
                           what == ELM_FIGURE_MARGIN ? 1 : s->largest_norm, g, values);
            if (n > 3)
                add(f, elm_report_groups[g], runs[i].name, values, n);
        }
        elm_free(values);
    }
}

void elm_figure_density(elm_figure *f, const elm_run_files *runs, int count, bool training,
                        elm_figure_quantity what)
{
    fill_distribution(f, runs, count, training, what, add_density);
}

void elm_figure_cumulative(elm_figure *f, const elm_run_files *runs, int count, bool training,
                           elm_figure_quantity what)
{
    fill_distribution(f, runs, count, training, what, add_cdf);
}
