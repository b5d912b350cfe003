/* Both sides are scaled to length 1 and kept, so that the backward pass is two matrix products
 * and a projection of each row: with u = x / |x|, dx = (du - (du . u) u) / |x|. */
#include "nn/layers/cosine.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "elmpi/memory.h"
#include "nn/layers/linear_gemm.h"

/* Rows of length 1 and what they were multiplied by. */
typedef struct directions {
    float *unit;   /* [rows][in] */
    double *scale; /* [rows] 1 / length, or 0 */
} directions;

struct elm_cosine {
    int in, out;
    directions x, weight;
    float *dx; /* [max_rows][in] gradient of the unit embeddings */
};

static const double length_min = 1e-12;

static int allocate(directions *d, int rows, int in, elm_error *err)
{
    d->unit = elm_alloc((size_t)rows * (size_t)in, sizeof *d->unit, err);
    d->scale = d->unit ? elm_alloc((size_t)rows, sizeof *d->scale, err) : NULL;
    return d->scale ? 0 : -1;
}

void elm_cosine_destroy(elm_cosine *c)
{
    if (!c)
        return;
    void *all[] = {c->x.unit, c->x.scale, c->weight.unit, c->weight.scale, c->dx, c};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

int elm_cosine_create(elm_cosine **cosine, int max_rows, int in, int out, elm_error *err)
{
    elm_cosine *c = elm_alloc(1, sizeof *c, err);
    *cosine = NULL;
    if (!c)
        return -1;
    c->in = in;
    c->out = out;
    c->dx = elm_alloc((size_t)max_rows * (size_t)in, sizeof *c->dx, err);
    if (!c->dx || allocate(&c->x, max_rows, in, err) || allocate(&c->weight, out, in, err)) {
        elm_cosine_destroy(c);
        return -1;
    }
    *cosine = c;
    return 0;
}

static void normalize(const float *from, directions *to, int rows, int in)
{
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        const float *x = from + (size_t)r * (size_t)in;
        float *unit = to->unit + (size_t)r * (size_t)in;
        double sum = 0;
        for (int k = 0; k < in; k++)
            sum += (double)x[k] * (double)x[k];
        to->scale[r] = sqrt(sum) <= length_min ? 0 : 1 / sqrt(sum);
        for (int k = 0; k < in; k++)
            unit[k] = (float)((double)x[k] * to->scale[r]);
    }
}

void elm_cosine_forward(elm_cosine *c, const float *x, const float *weight, float *y, int rows)
{
    normalize(x, &c->x, rows, c->in);
    normalize(weight, &c->weight, c->out, c->in);
    elm_linear_forward(c->x.unit, c->weight.unit, NULL, y, rows, c->in, c->out);
}

/* From the gradient of unit rows to that of the rows themselves, set or added; `to` may be
 * `from` when it is set. */
static void project(const directions *d, const float *from, float *to, int rows, int in, bool add)
{
#pragma omp parallel for schedule(static)
    for (int r = 0; r < rows; r++) {
        const size_t start = (size_t)r * (size_t)in;
        const float *unit = d->unit + start, *du = from + start;
        double along = 0;
        for (int k = 0; k < in; k++)
            along += (double)du[k] * (double)unit[k];
        for (int k = 0; k < in; k++) {
            const double gradient = ((double)du[k] - along * (double)unit[k]) * d->scale[r];
            to[start + (size_t)k] = (add ? to[start + (size_t)k] : 0) + (float)gradient;
        }
    }
}

void elm_cosine_backward(elm_cosine *c, const float *dy, float *weight_gradient, float *dx,
                         int rows)
{
    elm_linear_weight_gradients(c->x.unit, dy, weight_gradient, NULL, rows, c->in, c->out);
    project(&c->weight, weight_gradient, weight_gradient, c->out, c->in, false);
    elm_linear_data_gradient(dy, c->weight.unit, c->dx, rows, c->in, c->out, 0);
    project(&c->x, c->dx, dx, rows, c->in, true);
}
