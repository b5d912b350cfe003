#include "nn/norm_kernels.h"

#include "nn/lanes.h"

enum { CHAINS = 2 };

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

ELM_INLINE void moments(const void *x, size_t length, int block, float *mean, float *m2, elm_format format)
{
    /* One pass over deviations from the first pixel: no cancellation of large means, and the plane is read once. */
    float pixel[LANES];
    for (int k = 0; k < block; k++)
        pixel[k] = elm_read(x, (size_t)k, format);
    const lanes origin = spread(pixel, block);
    lanes sum[CHAINS] = {{0}}, square[CHAINS] = {{0}};
    size_t i = 0;
    for (; i + CHAINS * LANES <= length; i += CHAINS * LANES)
        for (int k = 0; k < CHAINS; k++) {
            const lanes d = load(x, i + k * LANES, format) - origin;
            sum[k] += d;
            square[k] += d * d;
        }
    for (; i < length; i += LANES) {
        const lanes d = (length - i < LANES ? load_tail(x, i, length - i, origin, format) : load(x, i, format)) - origin;
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
        mean[k] = (float)((double)pixel[k] + first[k] / count);
        m2[k] = deviation < 0 ? 0 : (float)deviation; /* NaN stays NaN */
    }
}

/* v where `by` is above 0 or NaN, else 0: a NaN passes a ReLU and its gradient, as in PyTorch. */
static inline lanes positive(lanes v, lanes by)
{
    return lanes_where(~(by <= 0), v);
}

ELM_INLINE void normalise(const void *x, const void *residual, void *y, size_t length, int block, const float *scale, const float *shift,
                          bool relu, elm_format format)
{
    const lanes a = spread(scale, block), b = spread(shift, block), zero = {0};
    size_t i = 0;
    for (; i + LANES <= length; i += LANES) {
        lanes v = load(x, i, format) * a + b;
        if (residual)
            v += load(residual, i, format);
        store(y, i, relu ? positive(v, v) : v, format);
    }
    if (i < length) {
        lanes v = load_tail(x, i, length - i, zero, format) * a + b;
        if (residual)
            v += load_tail(residual, i, length - i, zero, format);
        store_tail(y, i, length - i, relu ? positive(v, v) : v, format);
    }
}

ELM_INLINE void mask_plane(void *gradient, const void *second, const void *x, size_t length, int block, const float *mean,
                           const elm_gate *gate, float *sum, float *product, elm_format format)
{
    const lanes centre = spread(mean, block), scale = spread(gate->scale, block), shift = spread(gate->shift, block), zero = {0};
    const void *y = gate->y;
    const bool relu = gate->relu;
    lanes total[CHAINS] = {{0}}, weighted[CHAINS] = {{0}};
    size_t i = 0;
    for (; i + CHAINS * LANES <= length; i += CHAINS * LANES)
        for (int k = 0; k < CHAINS; k++) {
            const size_t at = i + k * LANES;
            lanes g = load(gradient, at, format);
            if (second)
                g += load(second, at, format);
            const lanes v = load(x, at, format);
            if (relu)
                g = positive(g, y ? load(y, at, format) : v * scale + shift);
            store(gradient, at, g, format);
            total[k] += g;
            weighted[k] += g * (v - centre);
        }
    for (; i < length; i += LANES) {
        const size_t rest = length - i < LANES ? length - i : LANES;
        lanes g = load_tail(gradient, i, rest, zero, format);
        if (second)
            g += load_tail(second, i, rest, zero, format);
        const lanes v = load_tail(x, i, rest, centre, format);
        if (relu)
            g = positive(g, y ? load_tail(y, i, rest, zero, format) : v * scale + shift);
        store_tail(gradient, i, rest, g, format);
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

ELM_INLINE void gradient_plane(const void *gradient, const void *x, void *dx, size_t length, int block, const float *a, const float *b,
                               const float *c, const float *mean, elm_format format)
{
    const lanes va = spread(a, block), vb = spread(b, block), vc = spread(c, block), centre = spread(mean, block), zero = {0};
    size_t i = 0;
    for (; i + LANES <= length; i += LANES)
        store(dx, i, va * load(gradient, i, format) + (vb * (load(x, i, format) - centre) + vc), format);
    if (i < length)
        store_tail(dx, i, length - i,
                   va * load_tail(gradient, i, length - i, zero, format) +
                       (vb * (load_tail(x, i, length - i, centre, format) - centre) + vc),
                   format);
}

/* One body for each format. */
void elm_plane_moments(const void *x, size_t length, int block, float *mean, float *m2, elm_format format)
{
    ELM_BY_FORMAT(format, moments, x, length, block, mean, m2);
}

void elm_plane_normalise(const void *x, const void *residual, void *y, size_t length, int block, const float *scale, const float *shift,
                         bool relu, elm_format format)
{
    ELM_BY_FORMAT(format, normalise, x, residual, y, length, block, scale, shift, relu);
}

void elm_plane_mask(void *gradient, const void *second, const void *x, size_t length, int block, const float *mean, const elm_gate *gate,
                    float *sum, float *product, elm_format format)
{
    ELM_BY_FORMAT(format, mask_plane, gradient, second, x, length, block, mean, gate, sum, product);
}

void elm_plane_gradient(const void *gradient, const void *x, void *dx, size_t length, int block, const float *a, const float *b,
                        const float *c, const float *mean, elm_format format)
{
    ELM_BY_FORMAT(format, gradient_plane, gradient, x, dx, length, block, a, b, c, mean);
}
