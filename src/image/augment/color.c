/* Compiled without contraction of a * b + c (CMakeLists.txt): Pillow rounds after each
 * operation. */
#include "image/augment/color.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { LEVELS = 256 };

static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((19595u * rgb[0] + 38470u * rgb[1] + 7471u * rgb[2] + 32768u) >> 16);
}

static uint8_t blend(int degenerate, int x, float a)
{
    const float v = (float)degenerate + a * (float)(x - degenerate);
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

/* A table a channel, applied to all pixels. */
static void look_up(elm_image_size size, const uint8_t *in, uint8_t *out,
                    uint8_t table[ELM_IMAGE_CHANNELS_MAX][LEVELS])
{
    const size_t bytes = elm_image_bytes(size);
    if (size.channels == 1)
        for (size_t i = 0; i < bytes; i++)
            out[i] = table[0][in[i]];
    else
        for (size_t i = 0; i < bytes; i += 3)
            for (int c = 0; c < 3; c++)
                out[i + (size_t)c] = table[c][in[i + (size_t)c]];
}

/* The same table for all channels. */
static void look_up_same(elm_image_size size, const uint8_t *in, uint8_t *out,
                         const uint8_t table[LEVELS])
{
    for (size_t i = 0; i < elm_image_bytes(size); i++)
        out[i] = table[in[i]];
}

void elm_image_color(elm_image_size size, const uint8_t *in, uint8_t *out, double a)
{
    const size_t bytes = elm_image_bytes(size);
    if (size.channels == 1) {
        memmove(out, in, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += 3) {
        const int gray = luma(in + i);
        for (size_t c = 0; c < 3; c++)
            out[i + c] = blend(gray, in[i + c], (float)a);
    }
}

static void blend_with(elm_image_size size, const uint8_t *in, uint8_t *out, int degenerate,
                       double a)
{
    uint8_t table[LEVELS];
    for (int v = 0; v < LEVELS; v++)
        table[v] = blend(degenerate, v, (float)a);
    look_up_same(size, in, out, table);
}

void elm_image_contrast(elm_image_size size, const uint8_t *in, uint8_t *out, double a)
{
    const size_t bytes = elm_image_bytes(size), pixels = bytes / (size_t)size.channels;
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i += (size_t)size.channels)
        sum += size.channels == 1 ? in[i] : luma(in + i);
    blend_with(size, in, out, (int)((double)sum / (double)pixels + 0.5), a);
}

void elm_image_brightness(elm_image_size size, const uint8_t *in, uint8_t *out, double a)
{
    blend_with(size, in, out, 0, a);
}

void elm_image_sharpness(elm_image_size size, const uint8_t *in, uint8_t *out, double a)
{
    const ptrdiff_t step = size.channels, line = (ptrdiff_t)size.width * step;
    for (int y = 0; y < size.height; y++)
        for (ptrdiff_t i = 0; i < line; i++) {
            const uint8_t *p = in + y * line + i;
            int smooth = *p;
            if (y > 0 && y < size.height - 1 && i >= step && i < line - step) {
                const int sum = p[-line - step] + p[-line] + p[-line + step] + p[-step] + 5 * p[0] +
                                p[step] + p[line - step] + p[line] + p[line + step];
                smooth = (2 * sum + 13) / 26; /* sum / 13, rounded: never a tie */
            }
            out[y * line + i] = blend(smooth, *p, (float)a);
        }
}

static void count_levels(elm_image_size size, const uint8_t *in, int channel,
                         int64_t histogram[LEVELS])
{
    memset(histogram, 0, LEVELS * sizeof *histogram);
    for (size_t i = (size_t)channel; i < elm_image_bytes(size); i += (size_t)size.channels)
        histogram[in[i]]++;
}

static void stretch_table(const int64_t histogram[LEVELS], uint8_t table[LEVELS])
{
    int low = 0, high = LEVELS - 1;
    while (low < LEVELS - 1 && histogram[low] == 0)
        low++;
    while (high > 0 && histogram[high] == 0)
        high--;
    const double scale = high > low ? 255.0 / (high - low) : 1,
                 offset = high > low ? -low * scale : 0;
    for (int v = 0; v < LEVELS; v++) {
        const int to = (int)(v * scale + offset);
        table[v] = (uint8_t)(to < 0 ? 0 : to > 255 ? 255 : to);
    }
}

static void flatten_table(const int64_t histogram[LEVELS], uint8_t table[LEVELS])
{
    int64_t pixels = 0, last = 0;
    int used = 0;
    for (int v = 0; v < LEVELS; v++)
        if (histogram[v] > 0) {
            pixels += histogram[v];
            last = histogram[v];
            used++;
        }
    const int64_t step = used > 1 ? (pixels - last) / 255 : 0;
    int64_t below = step / 2;
    for (int v = 0; v < LEVELS; v++) {
        const int64_t to = step > 0 ? below / step : v;
        table[v] = (uint8_t)(to > 255 ? 255 : to);
        below += histogram[v];
    }
}

static void by_histogram(elm_image_size size, const uint8_t *in, uint8_t *out,
                         void (*make)(const int64_t *, uint8_t *))
{
    uint8_t table[ELM_IMAGE_CHANNELS_MAX][LEVELS];
    int64_t histogram[LEVELS];
    for (int c = 0; c < size.channels; c++) {
        count_levels(size, in, c, histogram);
        make(histogram, table[c]);
    }
    look_up(size, in, out, table);
}

void elm_image_autocontrast(elm_image_size size, const uint8_t *in, uint8_t *out, double unused)
{
    (void)unused;
    by_histogram(size, in, out, stretch_table);
}

void elm_image_equalize(elm_image_size size, const uint8_t *in, uint8_t *out, double unused)
{
    (void)unused;
    by_histogram(size, in, out, flatten_table);
}

void elm_image_posterize(elm_image_size size, const uint8_t *in, uint8_t *out, double bits)
{
    uint8_t table[LEVELS];
    const int keep = (int)bits;
    for (int v = 0; v < LEVELS; v++)
        table[v] = (uint8_t)(v & ~((1 << (8 - keep)) - 1));
    look_up_same(size, in, out, table);
}

void elm_image_solarize(elm_image_size size, const uint8_t *in, uint8_t *out, double threshold)
{
    uint8_t table[LEVELS];
    for (int v = 0; v < LEVELS; v++)
        table[v] = (uint8_t)(v < threshold ? v : 255 - v);
    look_up_same(size, in, out, table);
}

void elm_image_solarize_add(elm_image_size size, const uint8_t *in, uint8_t *out, double a)
{
    uint8_t table[LEVELS];
    for (int v = 0; v < LEVELS; v++) {
        const int to = v < 128 ? v + (int)a : v;
        table[v] = (uint8_t)(to < 0 ? 0 : to > 255 ? 255 : to);
    }
    look_up_same(size, in, out, table);
}

void elm_image_invert(elm_image_size size, const uint8_t *in, uint8_t *out, double unused)
{
    (void)unused;
    for (size_t i = 0; i < elm_image_bytes(size); i++)
        out[i] = (uint8_t)(255 - in[i]);
}

/** Pillow's 8-bit hue, saturation and value. */
typedef struct hsv {
    int h, s, v;
} hsv;

static hsv hsv_of(const uint8_t *rgb)
{
    const int r = rgb[0], g = rgb[1], b = rgb[2];
    const int high = r > g ? (r > b ? r : b) : (g > b ? g : b),
              low = r < g ? (r < b ? r : b) : (g < b ? g : b);
    if (high == low)
        return (hsv){0, 0, high};
    const float range = (float)(high - low), saturation = range / (float)high;
    const float rc = (float)(high - r) / range, gc = (float)(high - g) / range,
                bc = (float)(high - b) / range;
    const float h = r == high   ? bc - gc
                    : g == high ? (float)(2.0 + (double)rc - (double)bc)
                                : (float)(4.0 + (double)gc - (double)rc);
    const float turn = (float)fmod((double)h / 6.0 + 1.0, 1.0);
    return (hsv){(int)((double)turn * 255.0), (int)((double)saturation * 255.0), high};
}

static uint8_t rounded(double v)
{
    const double r = round(v);
    return r <= 0 ? 0 : r >= 255 ? 255 : (uint8_t)r;
}

static void rgb_of(hsv color, uint8_t *rgb)
{
    const uint8_t v = (uint8_t)color.v;
    if (color.s == 0) {
        rgb[0] = rgb[1] = rgb[2] = v;
        return;
    }
    const int sector = (int)floor((double)((float)color.h * 6.0f / 255.0f));
    const float f = (float)((double)((float)color.h * 6.0f / 255.0f) - (double)sector),
                s = (float)color.s / 255.0f;
    const uint8_t p = rounded((double)((float)v * (1.0f - s))),
                  q = rounded((double)((float)v * (1.0f - s * f)));
    const uint8_t t = rounded((double)((float)v * (1.0f - s * (1.0f - f))));
    const uint8_t table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
    memcpy(rgb, table[sector % 6], 3);
}

void elm_image_hue(elm_image_size size, const uint8_t *in, uint8_t *out, double x)
{
    const int by = (int)(x * 255); /* truncated, then taken modulo 256 as torchvision does */
    for (size_t i = 0; i < elm_image_bytes(size); i += 3) {
        hsv color = hsv_of(in + i);
        color.h = (color.h + by) & 255;
        rgb_of(color, out + i);
    }
}

void elm_image_gray(elm_image_size size, const uint8_t *in, uint8_t *out, double unused)
{
    (void)unused;
    for (size_t i = 0; i < elm_image_bytes(size); i += 3)
        memset(out + i, luma(in + i), 3);
}
