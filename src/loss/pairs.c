#include "loss/pairs.h"

#include <string.h>

#include "elmpi/memory.h"

void elm_pairs_destroy(void *pairs)
{
    elm_pairs *p = pairs;
    if (!p)
        return;
    elm_rows_destroy(p->rows);
    elm_free(p->pair);
    elm_free(p->row_loss);
    elm_free(p);
}

int elm_pairs_create(elm_pairs **pairs, const elm_loss_setup *setup, bool normalize, elm_error *err)
{
    elm_pairs *p = elm_alloc(1, sizeof *p, err);
    *pairs = NULL;
    if (!p)
        return -1;
    const size_t rows = (size_t)setup->max_rows;
    const elm_need needs[] = {{&p->pair, rows * rows, sizeof *p->pair}, {&p->row_loss, rows, sizeof *p->row_loss}};
    if (elm_rows_create(&p->rows, setup, normalize, err) || elm_allocate_all(needs, sizeof needs / sizeof *needs, err)) {
        elm_pairs_destroy(p);
        return -1;
    }
    *pairs = p;
    return 0;
}

/* Four products at a time: row i is read once for all four. A loop of its own rather than BLAS, whose sums may depend on the number of
 * threads and on where a row stands. */
static void find_row(const elm_pairs *p, int i)
{
    const elm_rows *r = p->rows;
    const double *x = elm_rows_at(r, i);
    double *to = elm_pairs_of(p, i);
    int j = 0;
    for (; j + 4 <= r->count; j += 4) {
        const double *a = elm_rows_at(r, j), *b = elm_rows_at(r, j + 1), *c = elm_rows_at(r, j + 2), *d = elm_rows_at(r, j + 3);
        double ab = 0, bb = 0, cb = 0, db = 0;
#pragma omp simd reduction(+ : ab, bb, cb, db)
        for (int k = 0; k < r->width; k++) {
            ab += x[k] * a[k];
            bb += x[k] * b[k];
            cb += x[k] * c[k];
            db += x[k] * d[k];
        }
        to[j] = ab;
        to[j + 1] = bb;
        to[j + 2] = cb;
        to[j + 3] = db;
    }
    for (; j < r->count; j++)
        to[j] = elm_rows_product(x, elm_rows_at(r, j), r->width);
}

void elm_pairs_collect(elm_pairs *p, const elm_loss_batch *batch)
{
    elm_rows_collect(p->rows, batch);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < p->rows->count; i++)
        find_row(p, i);
}

static void find_gradient(const elm_pairs *p, int i)
{
    const elm_rows *r = p->rows;
    const double *of_anchor = elm_pairs_of(p, r->first + i);
    double *gradient = r->gradient + (size_t)i * (size_t)r->width;
    memset(gradient, 0, (size_t)r->width * sizeof *gradient);
    for (int j = 0; j < r->count; j++) {
        const double factor = of_anchor[j] + elm_pairs_of(p, j)[r->first + i], *x = elm_rows_at(r, j);
        for (int k = 0; k < r->width; k++)
            gradient[k] += factor * x[k];
    }
}

void elm_pairs_add_gradient(const elm_pairs *p, const elm_loss_batch *batch, double scale)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < p->rows->local; i++)
        find_gradient(p, i);
    elm_rows_add_gradient(p->rows, batch, scale);
}
