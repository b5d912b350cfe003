#include "analysis/neural_collapse.h"

#include <math.h>
#include <stddef.h>

#include "base/cpu/vectors.h"
#include "elmpi/memory.h"

typedef struct centered {
    int count, width;
    double *rows;  /* [count][width] mu_c - m of the classes present */
    double *norms; /* [count] */
    int *class;    /* [count] */
} centered;

static void center(centered *c, const double *means, const double *present, int classes)
{
    const size_t width = (size_t)c->width;
    for (int y = 0; y < classes; y++)
        if (present[y] > 0)
            c->class[c->count++] = y;
    for (size_t k = 0; k < width; k++) {
        double mean = 0;
        for (int i = 0; i < c->count; i++)
            mean += means[(size_t)c->class[i] * width + k] / c->count;
        for (int i = 0; i < c->count; i++)
            c->rows[(size_t)i * width + k] = means[(size_t)c->class[i] * width + k] - mean;
    }
    for (int i = 0; i < c->count; i++)
        c->norms[i] = sqrt(elm_vectors()->dot_double(c->rows + (size_t)i * width,
                                                     c->rows + (size_t)i * width, c->width));
}

static double std(double sum, double squares, double count)
{
    const double variance = squares / count - sum / count * (sum / count);
    return sqrt(variance > 0 ? variance : 0);
}

static void compare_norms(elm_collapse *out, const centered *c)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < c->count; i++) {
        sum += c->norms[i];
        squares += c->norms[i] * c->norms[i];
    }
    out->equal_norms = sum > 0 ? std(sum, squares, c->count) * c->count / sum : 0;
}

/* All pairs; each row's sums apart, so that no thread count shows. */
static int compare_pairs(elm_collapse *out, const centered *c, elm_error *err)
{
    enum { DISTANCE, COSINE, SQUARE, GAP, SUMS };
    const size_t width = (size_t)c->width;
    double(*rows)[SUMS] = elm_alloc((size_t)c->count, sizeof *rows, err);
    if (rows == NULL)
        return -1;
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < c->count; i++)
        for (int j = 0; j < i; j++) {
            const double product = elm_vectors()->dot_double(c->rows + (size_t)i * width,
                                                             c->rows + (size_t)j * width, c->width);
            const double square =
                             c->norms[i] * c->norms[i] + c->norms[j] * c->norms[j] - 2 * product,
                         norms = c->norms[i] * c->norms[j];
            const double cosine = norms > 0 ? product / norms : 0;
            rows[i][DISTANCE] += sqrt(square > 0 ? square : 0);
            rows[i][COSINE] += cosine;
            rows[i][SQUARE] += cosine * cosine;
            rows[i][GAP] += fabs(cosine + 1.0 / (c->count - 1));
        }
    double sums[SUMS] = {0};
    for (int i = 0; i < c->count; i++)
        for (int s = 0; s < SUMS; s++)
            sums[s] += rows[i][s];
    const double pairs = (double)c->count * (c->count - 1) / 2;
    out->inter = sums[DISTANCE] / pairs;
    out->equal_angles = std(sums[COSINE], sums[SQUARE], pairs);
    out->widest_angles = sums[GAP] / pairs;
    elm_free(rows);
    return 0;
}

static void compare_weights(elm_collapse *out, const centered *c, const float *weights)
{
    double w = 0, m = 0, product = 0;
    for (int i = 0; i < c->count; i++)
        for (int k = 0; k < c->width; k++) {
            const double a = (double)weights[(size_t)c->class[i] * (size_t)c -> width + (size_t)k];
            const double b = c->rows[(size_t)i * (size_t)c->width + (size_t)k];
            w += a * a;
            m += b * b;
            product += a * b;
        }
    out->duality = w > 0 && m > 0 ? 2 - 2 * product / sqrt(w * m) : NAN;
}

int elm_collapse_of(elm_collapse *out, const double *means, const float *weights,
                    const double *present, int classes, int width, elm_error *err)
{
    centered c = {.width = width};
    *out = (elm_collapse){.duality = NAN};
    const elm_need needs[] = {{&c.rows, (size_t)classes * (size_t)width, sizeof *c.rows},
                              {&c.norms, (size_t)classes, sizeof *c.norms},
                              {&c.class, (size_t)classes, sizeof *c.class}};
    int status = elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
    if (status == 0) {
        center(&c, means, present, classes);
        if (c.count < 2)
            status = elm_error_set(
                err, ELM_EXIT_FAILURE,
                "images of one class alone have nothing to compare (analysis): use another split");
    }
    if (status == 0) {
        compare_norms(out, &c);
        status = compare_pairs(out, &c, err);
    }
    if (status == 0 && weights != NULL)
        compare_weights(out, &c, weights);
    void *all[] = {c.rows, c.norms, c.class};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
