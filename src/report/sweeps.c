#include "report/sweeps.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

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

void elm_figure_sweep(elm_figure *f, const elm_run_files *runs, int count, const char *key,
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
