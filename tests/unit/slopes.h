/* Gradients against finite differences, for the loss tests. */
#ifndef ELMPI_TESTS_SLOPES_H
#define ELMPI_TESTS_SLOPES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/loss.h"
#include "golden/pseudo.h"

enum { SLOPES_MAX = 1024 };

typedef elm_loss_value (*evaluation)(elm_loss *loss, const elm_loss_batch *batch);

static inline double largest(const double *x, int count)
{
    double most = 0;
    for (int i = 0; i < count; i++)
        most = fmax(most, fabs(x[i]));
    return most;
}

/* The derivative of the loss by x[i], from four values: the error falls with h^4. The loss is
 * computed in double from float inputs, so the differences are exact enough for the gradient's
 * own precision. */
static inline double slope(elm_loss *loss, const elm_loss_batch *batch, evaluation evaluate,
                           float *x, int i)
{
    const float at = x[i], h = 1.0F / 1024;
    double value[4];
    static const float steps[] = {-2, -1, 1, 2};
    for (int s = 0; s < 4; s++) {
        x[i] = at + steps[s] * h;
        value[s] = evaluate(loss, batch).loss;
    }
    x[i] = at;
    return (8 * (value[2] - value[1]) - (value[3] - value[0])) / (12 * (double)h);
}

/* Multiples of 2^-10, so that x +- h is exact. */
static inline void fill_coarse(float *x, int count, uint32_t stream, float scale)
{
    for (int i = 0; i < count; i++)
        x[i] = rintf(pseudo(stream, (uint32_t)i) * scale * 1024) / 1024;
}

static inline void check_slopes(const char *name, elm_loss *loss, const elm_loss_batch *batch,
                                evaluation evaluate, float *x, const float *gradient, int count)
{
    double found[SLOPES_MAX] = {0};
    float taken[SLOPES_MAX];
    assert_true(count <= SLOPES_MAX);
    evaluate(loss, batch);
    memcpy(taken, gradient, (size_t)count * sizeof *taken);
    for (int i = 0; i < count; i++)
        found[i] = slope(loss, batch, evaluate, x, i);
    const double most = largest(found, count);
    assert_true(most > 0);
    for (int i = 0; i < count; i++)
        if (!(fabs(taken[i] - found[i]) <= 1e-5 * most))
            fail_msg("%s, gradient %d: %.9g, differences give %.9g", name, i, taken[i], found[i]);
}

#endif
