#include "nn/layers/batchnorm_kernels.h"

#define LANES_OF_REGISTERS
#include "nn/layers/simd.h"

/* Sums that do not wait for each other: two of AVX-512's width are enough at the memory's rate. */
enum { CHAINS = SIMD_WIDTH == 16 ? 2 : 4 };

/* How vectors go through a plane: those of one part of the channels, `width` of them, begin
 * `step` apart. Where a pixel's channels fill several vectors there are as many parts; where
 * they fill none, a vector holds several pixels. */
typedef struct walk {
    size_t length; /* from the part's first number on */
    size_t step, pixels;
    int width;
} walk;

/* No block is larger than 16: with as many lanes the compiler knows all but the width. */
static inline walk walk_of(size_t length, int block, int part)
{
    const bool cut = SIMD_WIDTH < 16 && block > SIMD_WIDTH;
    return (walk){.length = length - (size_t)part,
                  .step = cut ? (size_t)block : SIMD_WIDTH,
                  .pixels = length / (size_t)block,
                  .width = cut ? SIMD_WIDTH : block};
}

/* Whether CHAINS whole vectors begin at `at`. */
static inline bool has_chains(walk w, size_t at)
{
    return at + (CHAINS - 1) * w.step + SIMD_WIDTH <= w.length;
}

static inline size_t rest_at(walk w, size_t at)
{
    return w.length - at < SIMD_WIDTH ? w.length - at : SIMD_WIDTH;
}

/* Per-channel values, one a lane. */
static inline simd_float spread(const float *channel, int width)
{
    simd_float v;
    for (int j = 0; j < SIMD_WIDTH; j++)
        v[j] = channel[j % width];
    return v;
}

static inline simd_float total_of(const simd_float *chain)
{
    simd_float v = chain[0];
    for (int k = 1; k < CHAINS; k++)
        v += chain[k];
    return v;
}

/* Sums of the lanes that belong to each channel. */
static inline void fold(simd_float v, int width, double *channel)
{
    for (int k = 0; k < width; k++) {
        channel[k] = (double)v[k];
        for (int j = k + width; j < SIMD_WIDTH; j += width)
            channel[k] += (double)v[j];
    }
}

ELM_INLINE simd_float load_some(const void *array, size_t at, size_t count, simd_float rest,
                                elm_format format)
{
    return count < SIMD_WIDTH ? load_tail(array, at, count, rest, format) : load(array, at, format);
}

ELM_INLINE void store_some(void *array, size_t at, size_t count, simd_float v, elm_format format)
{
    if (count < SIMD_WIDTH)
        store_tail(array, at, count, v, format);
    else
        store(array, at, v, format);
}

ELM_INLINE void moments(const void *x, walk w, float *mean, float *m2, elm_format format)
{
    /* One pass over deviations from the first pixel: no cancellation of large means, and the
     * plane is read once. */
    float pixel[SIMD_WIDTH];
    for (int k = 0; k < w.width; k++)
        pixel[k] = elm_read(x, (size_t)k, format);
    const simd_float origin = spread(pixel, w.width);
    simd_float sum[CHAINS] = {{0}}, square[CHAINS] = {{0}};
    size_t i = 0;
    for (; has_chains(w, i); i += CHAINS * w.step)
#pragma GCC unroll 4
        for (int k = 0; k < CHAINS; k++) {
            const simd_float d = load(x, i + k * w.step, format) - origin;
            sum[k] += d;
            square[k] += d * d;
        }
    for (; i < w.length; i += w.step) {
        const simd_float d = load_some(x, i, rest_at(w, i), origin, format) - origin;
        sum[0] += d;
        square[0] += d * d;
    }
    double first[SIMD_WIDTH], second[SIMD_WIDTH];
    fold(total_of(sum), w.width, first);
    fold(total_of(square), w.width, second);
    const double count = (double)w.pixels;
    for (int k = 0; k < w.width; k++) {
        const double std = second[k] - first[k] * first[k] / count;
        mean[k] = (float)((double)pixel[k] + first[k] / count);
        m2[k] = std < 0 ? 0 : (float)std; /* NaN stays NaN */
    }
}

/* v where `by` is above 0 or NaN, else 0: a NaN passes a ReLU and its gradient, as in PyTorch. */
static inline simd_float positive(simd_float v, simd_float by)
{
    return lanes_where(~(by <= 0), v);
}

ELM_INLINE void normalize(const void *x, const void *residual, void *y, walk w, const float *scale,
                          const float *shift, bool relu, elm_format format)
{
    const simd_float a = spread(scale, w.width), b = spread(shift, w.width), zero = {0};
    size_t i = 0;
    for (; i + SIMD_WIDTH <= w.length; i += w.step) {
        simd_float v = load(x, i, format) * a + b;
        if (residual)
            v += load(residual, i, format);
        store(y, i, relu ? positive(v, v) : v, format);
    }
    if (i < w.length) {
        const size_t rest = rest_at(w, i);
        simd_float v = load_some(x, i, rest, zero, format) * a + b;
        if (residual)
            v += load_some(residual, i, rest, zero, format);
        store_some(y, i, rest, relu ? positive(v, v) : v, format);
    }
}

/* One vector of elm_plane_mask. */
ELM_INLINE void mask_vector(void *gradient, const void *second, const void *x, size_t at,
                            size_t count, simd_float center, simd_float scale, simd_float shift,
                            const elm_gate *gate, simd_float *total, simd_float *weighted,
                            elm_format format)
{
    const simd_float zero = {0};
    simd_float g = load_some(gradient, at, count, zero, format);
    if (second)
        g += load_some(second, at, count, zero, format);
    const simd_float v = load_some(x, at, count, center, format);
    if (gate->relu)
        g = positive(g, gate->y ? load_some(gate->y, at, count, zero, format) : v * scale + shift);
    store_some(gradient, at, count, g, format);
    *total += g;
    *weighted += g * (v - center);
}

ELM_INLINE void mask_plane(void *gradient, const void *second, const void *x, walk w,
                           const float *mean, elm_gate gate, float *sum, float *product,
                           elm_format format)
{
    const simd_float center = spread(mean, w.width), scale = spread(gate.scale, w.width),
                     shift = spread(gate.shift, w.width);
    simd_float total[CHAINS] = {{0}}, weighted[CHAINS] = {{0}};
    size_t i = 0;
    for (; has_chains(w, i); i += CHAINS * w.step)
#pragma GCC unroll 4
        for (int k = 0; k < CHAINS; k++)
            mask_vector(gradient, second, x, i + k * w.step, SIMD_WIDTH, center, scale, shift,
                        &gate, &total[k], &weighted[k], format);
    for (; i < w.length; i += w.step)
        mask_vector(gradient, second, x, i, rest_at(w, i), center, scale, shift, &gate, &total[0],
                    &weighted[0], format);
    double first[SIMD_WIDTH], dot[SIMD_WIDTH];
    fold(total_of(total), w.width, first);
    fold(total_of(weighted), w.width, dot);
    for (int k = 0; k < w.width; k++) {
        sum[k] = (float)first[k];
        product[k] = (float)dot[k];
    }
}

ELM_INLINE void gradient_plane(const void *gradient, const void *x, void *dx, walk w,
                               const float *a, const float *b, const float *c, const float *mean,
                               elm_format format)
{
    const simd_float va = spread(a, w.width), vb = spread(b, w.width), vc = spread(c, w.width),
                     center = spread(mean, w.width), zero = {0};
    size_t i = 0;
    for (; i + SIMD_WIDTH <= w.length; i += w.step)
        store(dx, i, va * load(gradient, i, format) + (vb * (load(x, i, format) - center) + vc),
              format);
    if (i < w.length) {
        const size_t rest = rest_at(w, i);
        store_some(dx, i, rest,
                   va * load_some(gradient, i, rest, zero, format) +
                       (vb * (load_some(x, i, rest, center, format) - center) + vc),
                   format);
    }
}

/* One body for each format; the parts of a block one after another. */
static inline int part_end(int block)
{
    return SIMD_WIDTH < 16 ? block : 1;
}

void elm_plane_moments(const void *x, size_t length, int block, float *mean, float *m2,
                       elm_format format)
{
    for (int c = 0; c < part_end(block); c += SIMD_WIDTH)
        ELM_BY_FORMAT(format, moments, elm_element(x, (size_t)c, format), walk_of(length, block, c),
                      mean + c, m2 + c);
}

void elm_plane_normalize(const void *x, const void *residual, void *y, size_t length, int block,
                         const float *scale, const float *shift, bool relu, elm_format format)
{
    for (int c = 0; c < part_end(block); c += SIMD_WIDTH)
        ELM_BY_FORMAT(format, normalize, elm_element(x, (size_t)c, format),
                      elm_element(residual, (size_t)c, format), elm_element(y, (size_t)c, format),
                      walk_of(length, block, c), scale + c, shift + c, relu);
}

void elm_plane_mask(void *gradient, const void *second, const void *x, size_t length, int block,
                    const float *mean, const elm_gate *gate, float *sum, float *product,
                    elm_format format)
{
    for (int c = 0; c < part_end(block); c += SIMD_WIDTH) {
        const elm_gate part = {gate->relu, elm_element(gate->y, (size_t)c, format), gate->scale + c,
                               gate->shift + c};
        ELM_BY_FORMAT(format, mask_plane, elm_element(gradient, (size_t)c, format),
                      elm_element(second, (size_t)c, format), elm_element(x, (size_t)c, format),
                      walk_of(length, block, c), mean + c, part, sum + c, product + c);
    }
}

void elm_plane_gradient(const void *gradient, const void *x, void *dx, size_t length, int block,
                        const float *a, const float *b, const float *c, const float *mean,
                        elm_format format)
{
    for (int k = 0; k < part_end(block); k += SIMD_WIDTH)
        ELM_BY_FORMAT(format, gradient_plane, elm_element(gradient, (size_t)k, format),
                      elm_element(x, (size_t)k, format), elm_element(dx, (size_t)k, format),
                      walk_of(length, block, k), a + k, b + k, c + k, mean + k);
}
