#include "nn/layers/pixels_kernels.h"

#define LANES_OF_REGISTERS
#include "nn/layers/simd.h"

/* A tile is HEIGHT pixels of a vector of channels: its per-channel values are read once for all
 * of its pixels, and sums over pixels wait for the previous tile once, not once a pixel. Every
 * pass runs along memory, HEIGHT rows side by side. */
enum { HEIGHT = 4 };

/* The first `width` channels; lanes beyond them are 0. */
ELM_INLINE simd_float load_part(const void *array, size_t at, int width, elm_format format)
{
    const simd_float zero = {0};
    return width == SIMD_WIDTH ? load(array, at, format)
                               : load_tail(array, at, (size_t)width, zero, format);
}

ELM_INLINE void store_part(void *array, size_t at, int width, simd_float v, elm_format format)
{
    if (width == SIMD_WIDTH)
        store(array, at, v, format);
    else
        store_tail(array, at, (size_t)width, v, format);
}

ELM_INLINE void add_part(float *sum, int width, simd_float v)
{
    store_part(sum, 0, width, load_part(sum, 0, width, ELM_FP32) + v, ELM_FP32);
}

static inline simd_float positive(simd_float v, simd_float by)
{
    return lanes_where(by > 0, v);
}

/* Calls `tile` for all tiles of the rows with pixel, channel, height and width; whole ones have
 * constant sizes. */
#define FOR_TILES(rows, tile, ...)                                                                 \
    for (size_t p = 0; p < (rows).pixels; p += HEIGHT)                                             \
        for (int k = 0; k < (rows).channels; k += SIMD_WIDTH) {                                    \
            const size_t height = (rows).pixels - p < HEIGHT ? (rows).pixels - p : HEIGHT;         \
            const int width = (rows).channels - k < SIMD_WIDTH ? (rows).channels - k : SIMD_WIDTH; \
            if (height == HEIGHT && width == SIMD_WIDTH)                                           \
                tile(__VA_ARGS__, p *(rows).pitch + k, (rows).pitch, k, HEIGHT, SIMD_WIDTH);       \
            else                                                                                   \
                tile(__VA_ARGS__, p *(rows).pitch + k, (rows).pitch, k, height, width);            \
        }

/* Deviations from the first pixel, as in batchnorm_kernels.c: no cancellation of large means. */
ELM_INLINE void moments_tile(const void *x, float *sum, float *square, elm_format format, size_t at,
                             size_t pitch, int k, size_t height, int width)
{
    const simd_float origin = load_part(x, (size_t)k, width, format);
    simd_float s[2] = {{0}}, q[2] = {{0}};
#pragma GCC unroll 4
    for (size_t r = 0; r < height; r++) {
        const simd_float d = load_part(x, at + r * pitch, width, format) - origin;
        s[r % 2] += d;
        q[r % 2] += d * d;
    }
    add_part(sum + k, width, s[0] + s[1]);
    add_part(square + k, width, q[0] + q[1]);
}

ELM_INLINE void moments(const void *x, elm_pixels rows, float *mean, float *m2, elm_format format)
{
    for (int k = 0; k < rows.channels; k++)
        mean[k] = m2[k] = 0;
    FOR_TILES(rows, moments_tile, x, mean, m2, format)
    const double count = (double)rows.pixels;
    for (int k = 0; k < rows.channels; k++) {
        const double sum = (double)mean[k], std = (double)m2[k] - sum * sum / count;
        mean[k] = (float)((double)elm_read(x, (size_t)k, format) + sum / count);
        m2[k] = std > 0 ? (float)std : 0;
    }
}

ELM_INLINE void normalize_tile(const void *x, const void *residual, void *y, const float *scale,
                               const float *shift, bool relu, elm_format format, size_t at,
                               size_t pitch, int k, size_t height, int width)
{
    const simd_float a = load_part(scale, (size_t)k, width, ELM_FP32),
                     b = load_part(shift, (size_t)k, width, ELM_FP32);
#pragma GCC unroll 4
    for (size_t r = 0; r < height; r++) {
        simd_float v = load_part(x, at + r * pitch, width, format) * a + b;
        if (residual)
            v += load_part(residual, at + r * pitch, width, format);
        store_part(y, at + r * pitch, width, relu ? positive(v, v) : v, format);
    }
}

ELM_INLINE void normalize(const void *x, const void *residual, void *y, elm_pixels rows,
                          const float *scale, const float *shift, bool relu, elm_format format){
    FOR_TILES(rows, normalize_tile, x, residual, y, scale, shift, relu, format)}

ELM_INLINE void mask_tile(void *gradient, const void *second, const void *x, const float *mean,
                          const elm_gate *gate, float *sum, float *product, elm_format format,
                          size_t at, size_t pitch, int k, size_t height, int width)
{
    const simd_float center = load_part(mean, (size_t)k, width, ELM_FP32),
                     scale = load_part(gate->scale, (size_t)k, width, ELM_FP32),
                     shift = load_part(gate->shift, (size_t)k, width, ELM_FP32);
    simd_float total[2] = {{0}}, weighted[2] = {{0}};
#pragma GCC unroll 4
    for (size_t r = 0; r < height; r++) {
        const size_t here = at + r * pitch;
        simd_float g = load_part(gradient, here, width, format);
        if (second)
            g += load_part(second, here, width, format);
        const simd_float v = load_part(x, here, width, format);
        if (gate->relu)
            g = positive(g, gate->y ? load_part(gate->y, here, width, format) : v * scale + shift);
        store_part(gradient, here, width, g, format);
        total[r % 2] += g;
        weighted[r % 2] += g * (v - center);
    }
    add_part(sum + k, width, total[0] + total[1]);
    add_part(product + k, width, weighted[0] + weighted[1]);
}

ELM_INLINE void mask_rows(void *gradient, const void *second, const void *x, elm_pixels rows,
                          const float *mean, const elm_gate *gate, float *sum, float *product,
                          elm_format format)
{
    const elm_gate held = *gate; /* stores cannot change it */
    for (int k = 0; k < rows.channels; k++)
        sum[k] = product[k] = 0;
    FOR_TILES(rows, mask_tile, gradient, second, x, mean, &held, sum, product, format)
}

ELM_INLINE void gradient_tile(const void *gradient, const void *x, void *dx, const float *a,
                              const float *b, const float *c, const float *mean, elm_format format,
                              size_t at, size_t pitch, int k, size_t height, int width)
{
    const simd_float va = load_part(a, (size_t)k, width, ELM_FP32),
                     vb = load_part(b, (size_t)k, width, ELM_FP32),
                     vc = load_part(c, (size_t)k, width, ELM_FP32),
                     center = load_part(mean, (size_t)k, width, ELM_FP32);
#pragma GCC unroll 4
    for (size_t r = 0; r < height; r++) {
        const size_t here = at + r * pitch;
        const simd_float v = vb * (load_part(x, here, width, format) - center) + vc;
        store_part(dx, here, width, va * load_part(gradient, here, width, format) + v, format);
    }
}

ELM_INLINE void gradient_rows(const void *gradient, const void *x, void *dx, elm_pixels rows,
                              const float *a, const float *b, const float *c, const float *mean,
                              elm_format format){
    FOR_TILES(rows, gradient_tile, gradient, x, dx, a, b, c, mean, format)}

ELM_INLINE void from_planes(const float *x, void *y, size_t pixels, int channels, elm_format format)
{
    for (size_t p = 0; p < pixels; p++)
        for (int c = 0; c < channels; c++)
            elm_write(y, p * channels + c, x[c * pixels + p], format);
}

ELM_INLINE void mean_of(const void *x, elm_pixels rows, float *mean, elm_format format)
{
    for (int k = 0; k < rows.channels; k += SIMD_WIDTH) {
        const int width = rows.channels - k < SIMD_WIDTH ? rows.channels - k : SIMD_WIDTH;
        double sum[SIMD_WIDTH] = {0};
        for (size_t p = 0; p < rows.pixels; p++) {
            const simd_float v = load_part(x, p * rows.pitch + k, width, format);
            for (int j = 0; j < SIMD_WIDTH; j++)
                sum[j] += (double)v[j];
        }
        for (int j = 0; j < width; j++)
            mean[k + j] = (float)(sum[j] / (double)rows.pixels);
    }
}

ELM_INLINE void fill(void *x, elm_pixels rows, const float *values, elm_format format)
{
    for (size_t p = 0; p < rows.pixels; p++)
        for (int k = 0; k < rows.channels; k += SIMD_WIDTH) {
            const int width = rows.channels - k < SIMD_WIDTH ? rows.channels - k : SIMD_WIDTH;
            store_part(x, p * rows.pitch + k, width, load_part(values, (size_t)k, width, ELM_FP32),
                       format);
        }
}

/* One body for each format. */
void elm_pixels_moments(const void *x, elm_pixels rows, float *mean, float *m2, elm_format format)
{
    ELM_BY_FORMAT(format, moments, x, rows, mean, m2);
}

void elm_pixels_normalize(const void *x, const void *residual, void *y, elm_pixels rows,
                          const float *scale, const float *shift, bool relu, elm_format format)
{
    ELM_BY_FORMAT(format, normalize, x, residual, y, rows, scale, shift, relu);
}

void elm_pixels_mask(void *gradient, const void *second, const void *x, elm_pixels rows,
                     const float *mean, const elm_gate *gate, float *sum, float *product,
                     elm_format format)
{
    ELM_BY_FORMAT(format, mask_rows, gradient, second, x, rows, mean, gate, sum, product);
}

void elm_pixels_gradient(const void *gradient, const void *x, void *dx, elm_pixels rows,
                         const float *a, const float *b, const float *c, const float *mean,
                         elm_format format)
{
    ELM_BY_FORMAT(format, gradient_rows, gradient, x, dx, rows, a, b, c, mean);
}

void elm_pixels_from_planes(const float *x, void *y, size_t pixels, int channels, elm_format format)
{
    ELM_BY_FORMAT(format, from_planes, x, y, pixels, channels);
}

void elm_pixels_mean(const void *x, elm_pixels rows, float *mean, elm_format format)
{
    ELM_BY_FORMAT(format, mean_of, x, rows, mean);
}

void elm_pixels_fill(void *x, elm_pixels rows, const float *values, elm_format format)
{
    ELM_BY_FORMAT(format, fill, x, rows, values);
}
