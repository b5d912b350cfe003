#include "nn/norm_kernels.h"

#include <stdint.h>
#include <string.h>

enum { LANES = 16, CHAINS = 2 };

typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

static inline lanes load(const float *from)
{
    lanes v;
    memcpy(&v, from, sizeof v);
    return v;
}

static inline void store(float *to, lanes v)
{
    memcpy(to, &v, sizeof v);
}

/* The last, incomplete vector of a plane: lanes beyond it hold `rest`. */
static inline lanes load_tail(const float *from, size_t count, lanes rest)
{
    memcpy(&rest, from, count * sizeof(float));
    return rest;
}

/* Per-channel values, one a lane. */
static inline lanes spread(const float *channel, int block)
{
    lanes v;
    for (int j = 0; j < LANES; j++)
        v[j] = channel[j % block];
    return v;
}

/* Sums of the lanes that belong to each channel. */
static inline void fold(lanes v, int block, double *channel)
{
    for (int k = 0; k < block; k++) {
        channel[k] = (double)v[k];
        for (int j = k + block; j < LANES; j += block)
            channel[k] += (double)v[j];
    }
}

void elm_plane_moments(const float *x, size_t length, int block, float *mean, float *m2)
{
    /* One pass over deviations from the first pixel: no cancellation of large means, and the plane is read once. */
    const lanes origin = spread(x, block);
    lanes sum[CHAINS] = {{0}}, square[CHAINS] = {{0}};
    size_t i = 0;
    for (; i + CHAINS * LANES <= length; i += CHAINS * LANES)
        for (int k = 0; k < CHAINS; k++) {
            const lanes d = load(x + i + k * LANES) - origin;
            sum[k] += d;
            square[k] += d * d;
        }
    for (; i < length; i += LANES) {
        const lanes d = (length - i < LANES ? load_tail(x + i, length - i, origin) : load(x + i)) - origin;
        sum[0] += d;
        square[0] += d * d;
    }
    double first[LANES], second[LANES];
    fold(sum[0] + sum[1], block, first);
    fold(square[0] + square[1], block, second);
    const size_t pixels = length / block;
    const double count = (double)pixels;
    for (int k = 0; k < block; k++) {
        const double deviation = second[k] - first[k] * first[k] / count;
        mean[k] = (float)(x[k] + first[k] / count);
        m2[k] = deviation > 0 ? (float)deviation : 0;
    }
}

static inline lanes positive(lanes v, lanes by)
{
    return (lanes)((mask)v & (by > 0));
}

void elm_plane_normalise(const float *x, const float *residual, float *y, size_t length, int block, const float *scale, const float *shift,
                         bool relu)
{
    const lanes a = spread(scale, block), b = spread(shift, block), zero = {0};
    size_t i = 0;
    for (; i + LANES <= length; i += LANES) {
        lanes v = load(x + i) * a + b;
        if (residual)
            v += load(residual + i);
        store(y + i, relu ? positive(v, v) : v);
    }
    if (i < length) {
        lanes v = load_tail(x + i, length - i, zero) * a + b;
        if (residual)
            v += load_tail(residual + i, length - i, zero);
        v = relu ? positive(v, v) : v;
        memcpy(y + i, &v, (length - i) * sizeof *y);
    }
}

void elm_plane_mask(float *gradient, const float *second, const float *x, size_t length, int block, const float *mean, const elm_gate *gate,
                    float *sum, float *product)
{
    const lanes centre = spread(mean, block), scale = spread(gate->scale, block), shift = spread(gate->shift, block), zero = {0};
    const float *y = gate->y;
    const bool relu = gate->relu;
    lanes total[CHAINS] = {{0}}, weighted[CHAINS] = {{0}};
    size_t i = 0;
    for (; i + CHAINS * LANES <= length; i += CHAINS * LANES)
        for (int k = 0; k < CHAINS; k++) {
            const size_t at = i + k * LANES;
            lanes g = load(gradient + at);
            if (second)
                g += load(second + at);
            const lanes v = load(x + at);
            if (relu)
                g = positive(g, y ? load(y + at) : v * scale + shift);
            store(gradient + at, g);
            total[k] += g;
            weighted[k] += g * (v - centre);
        }
    for (; i < length; i += LANES) {
        const size_t rest = length - i < LANES ? length - i : LANES;
        lanes g = load_tail(gradient + i, rest, zero);
        if (second)
            g += load_tail(second + i, rest, zero);
        const lanes v = load_tail(x + i, rest, centre);
        if (relu)
            g = positive(g, y ? load_tail(y + i, rest, zero) : v * scale + shift);
        memcpy(gradient + i, &g, rest * sizeof *gradient);
        total[0] += g;
        weighted[0] += g * (v - centre);
    }
    double first[LANES], dot[LANES];
    fold(total[0] + total[1], block, first);
    fold(weighted[0] + weighted[1], block, dot);
    for (int k = 0; k < block; k++) {
        sum[k] = (float)first[k];
        product[k] = (float)dot[k];
    }
}

void elm_plane_gradient(const float *gradient, const float *x, float *dx, size_t length, int block, const float *a, const float *b,
                        const float *c, const float *mean)
{
    const lanes va = spread(a, block), vb = spread(b, block), vc = spread(c, block), centre = spread(mean, block);
    size_t i = 0;
    for (; i + LANES <= length; i += LANES)
        store(dx + i, va * load(gradient + i) + (vb * (load(x + i) - centre) + vc));
    if (i < length) {
        const lanes zero = {0};
        const lanes v = va * load_tail(gradient + i, length - i, zero) + (vb * (load_tail(x + i, length - i, centre) - centre) + vc);
        memcpy(dx + i, &v, (length - i) * sizeof *dx);
    }
}
