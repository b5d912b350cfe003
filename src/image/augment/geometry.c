/* Compiled without contraction of a * b + c (CMakeLists.txt): Pillow rounds after each
 * operation. */
#include "image/augment/geometry.h"

#include <math.h>
#include <string.h>

elm_affine elm_affine_shear_x(elm_image_size size, double s)
{
    (void)size;
    return (elm_affine){{1, s, 0, 0, 1, 0}};
}

elm_affine elm_affine_shear_y(elm_image_size size, double s)
{
    (void)size;
    return (elm_affine){{1, 0, 0, s, 1, 0}};
}

elm_affine elm_affine_translate_x(elm_image_size size, double t)
{
    (void)size;
    return (elm_affine){{1, 0, t, 0, 1, 0}};
}

elm_affine elm_affine_translate_y(elm_image_size size, double t)
{
    (void)size;
    return (elm_affine){{1, 0, 0, 0, 1, t}};
}

/* Pillow keeps 15 digits behind the point. The product's own rounding must not decide. */
static double to_15_digits(double v)
{
    const double product = v * 1e15, lost = fma(v, 1e15, -product), near = round(product),
                 beyond = product - near + lost;
    return (beyond > 0.5 ? near + 1 : beyond < -0.5 ? near - 1 : near) / 1e15;
}

/* In Python's manner: from 0 up to 360. It decides the last digit that is kept. */
static double within_a_turn(double degrees)
{
    const double rest = fmod(degrees, 360);
    return rest < 0 ? rest + 360 : rest;
}

elm_affine elm_affine_rotate(elm_image_size size, double degrees)
{
    const double angle = -(within_a_turn(degrees) * (M_PI / 180)), cx = size.width / 2.0,
                 cy = size.height / 2.0;
    elm_affine map = {{to_15_digits(cos(angle)), to_15_digits(sin(angle)), 0,
                       to_15_digits(-sin(angle)), to_15_digits(cos(angle)), 0}};
    double *m = map.m;
    m[2] = m[0] * -cx + m[1] * -cy + m[2] + cx;
    m[5] = m[3] * -cx + m[4] * -cy + m[5] + cy;
    return map;
}

static void put(uint8_t *out, const uint8_t *pixel, int channels)
{
    for (int c = 0; c < channels; c++)
        out[c] = pixel[c];
}

static int64_t fixed_point(double v)
{
    return (int64_t)floor(v * 65536.0 + 0.5);
}

static void nearest_fixed(elm_image_size size, const uint8_t *in, uint8_t *out, const double *m)
{
    const int64_t step_x = fixed_point(m[0]), step_y = fixed_point(m[3]),
                  line_x = fixed_point(m[1]), line_y = fixed_point(m[4]);
    int64_t begin_x = fixed_point(m[2] + m[0] * 0.5 + m[1] * 0.5),
            begin_y = fixed_point(m[5] + m[3] * 0.5 + m[4] * 0.5);
    for (int y = 0; y < size.height; y++, begin_x += line_x, begin_y += line_y) {
        int64_t at_x = begin_x, at_y = begin_y;
        for (int x = 0; x < size.width; x++, out += size.channels, at_x += step_x, at_y += step_y) {
            const int64_t u = at_x >> 16, v = at_y >> 16;
            if (u >= 0 && u < size.width && v >= 0 && v < size.height)
                put(out, in + (size_t)(v * size.width + u) * (size_t)size.channels, size.channels);
        }
    }
}

/* Without shear each direction is its own. */
static void nearest_straight(elm_image_size size, const uint8_t *in, uint8_t *out, const double *m)
{
    double v = m[5] + m[4] * 0.5;
    for (int y = 0; y < size.height; y++, v += m[4]) {
        double u = m[2] + m[0] * 0.5;
        for (int x = 0; x < size.width; x++, out += size.channels, u += m[0])
            if (u >= 0 && u < size.width && v >= 0 && v < size.height)
                put(out, in + ((size_t)v * (size_t)size.width + (size_t)u) * (size_t)size.channels,
                    size.channels);
    }
}

static int clamp(int v, int limit)
{
    return v < 0 ? 0 : v >= limit ? limit - 1 : v;
}

static double linear(double a, double b, double d)
{
    return a + (b - a) * d;
}

static double cubic(const double *p, double d)
{
    const double p1 = p[1], p2 = -p[0] + p[2], p3 = 2 * (p[0] - p[1]) + p[2] - p[3],
                 p4 = -p[0] + p[1] - p[2] + p[3];
    return p1 + d * (p2 + d * (p3 + d * p4));
}

static double value(elm_image_size size, const uint8_t *in, int x, int y, int c)
{
    return in[((size_t)clamp(y, size.height) * (size_t)size.width + (size_t)clamp(x, size.width)) *
                  (size_t)size.channels +
              (size_t)c];
}

static uint8_t truncated(double v)
{
    return v <= 0 ? 0 : v >= 255 ? 255 : (uint8_t)v;
}

static uint8_t bilinear_at(elm_image_size size, const uint8_t *in, double u, double v, int c)
{
    const int x = (int)floor(u), y = (int)floor(v);
    const double dx = u - x, dy = v - y;
    const double above = linear(value(size, in, x, y, c), value(size, in, x + 1, y, c), dx);
    const double below = linear(value(size, in, x, y + 1, c), value(size, in, x + 1, y + 1, c), dx);
    return truncated(linear(above, below, dy));
}

static uint8_t bicubic_at(elm_image_size size, const uint8_t *in, double u, double v, int c)
{
    const int x = (int)floor(u), y = (int)floor(v);
    double across[4], row[4];
    for (int j = 0; j < 4; j++) {
        for (int i = 0; i < 4; i++)
            row[i] = value(size, in, x - 1 + i, y - 1 + j, c);
        across[j] = cubic(row, u - x);
    }
    return truncated(cubic(across, v - y));
}

static void smooth(elm_image_size size, const uint8_t *in, uint8_t *out, const double *m,
                   elm_resampling resampling)
{
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++, out += size.channels) {
            const double u = m[0] * (x + 0.5) + m[1] * (y + 0.5) + m[2],
                         v = m[3] * (x + 0.5) + m[4] * (y + 0.5) + m[5];
            if (!(u >= 0 && u < size.width && v >= 0 && v < size.height))
                continue;
            for (int c = 0; c < size.channels; c++)
                out[c] = resampling == ELM_BILINEAR ? bilinear_at(size, in, u - 0.5, v - 0.5, c)
                                                    : bicubic_at(size, in, u - 0.5, v - 0.5, c);
        }
}

void elm_image_affine(elm_image_size size, const uint8_t *in, uint8_t *out, elm_affine map,
                      elm_resampling resampling, const uint8_t fill[ELM_IMAGE_CHANNELS_MAX])
{
    for (size_t i = 0; i < elm_image_bytes(size); i += (size_t)size.channels)
        put(out + i, fill, size.channels);
    if (resampling != ELM_NEAREST)
        smooth(size, in, out, map.m, resampling);
    else if (map.m[1] == 0 && map.m[3] == 0)
        nearest_straight(size, in, out, map.m);
    else
        nearest_fixed(size, in, out, map.m);
}

enum { WEIGHT_BITS = 22 };

/** Weights of one direction: output pixel i takes `count[i]` input pixels from `first[i]` on. */
typedef struct taps {
    int most;
    int *first, *count;
    int32_t *weight; /* [outputs][most] */
    double *real;    /* [most] */
} taps;

static int most_taps(int inputs, int outputs)
{
    const double scale = (double)inputs / outputs, support = scale > 1 ? scale : 1;
    return (int)ceil(support) * 2 + 1;
}

static size_t taps_bytes(int inputs, int outputs)
{
    const size_t most = (size_t)most_taps(inputs, outputs), n = (size_t)outputs;
    /* the last to stay aligned */
    return most * sizeof(double) + n * (2 + most) * sizeof(int32_t) + sizeof(double);
}

/* Lays the arrays out in `work` and fills them. */
static taps make_taps(int inputs, int outputs, void *work)
{
    const double scale = (double)inputs / outputs, support = scale > 1 ? scale : 1;
    taps t = {.most = most_taps(inputs, outputs), .real = work};
    t.first = (int *)(t.real + t.most);
    t.count = t.first + outputs;
    t.weight = (int32_t *)(t.count + outputs);
    for (int i = 0; i < outputs; i++) {
        const double center = (i + 0.5) * scale;
        int low = (int)(center - support + 0.5), high = (int)(center + support + 0.5);
        low = low < 0 ? 0 : low;
        high = high > inputs ? inputs : high;
        double sum = 0;
        for (int j = low; j < high; j++) {
            const double distance = fabs((j - center + 0.5) / support),
                         w = distance < 1 ? 1 - distance : 0;
            t.real[j - low] = w;
            sum += w;
        }
        t.first[i] = low;
        t.count[i] = high - low;
        for (int j = 0; j < high - low; j++)
            t.weight[i * t.most + j] = (int32_t)(t.real[j] / sum * (1 << WEIGHT_BITS) + 0.5);
    }
    return t;
}

static uint8_t weighted(const uint8_t *from, size_t step, const int32_t *weight, int count)
{
    int32_t sum = 1 << (WEIGHT_BITS - 1);
    for (int j = 0; j < count; j++)
        sum += from[(size_t)j * step] * weight[j];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

size_t elm_image_resize_bytes(elm_image_size in, elm_image_size out)
{
    return taps_bytes(in.width, out.width) + taps_bytes(in.height, out.height) +
           2 * sizeof(double) + (size_t)in.height * (size_t)out.width * (size_t)in.channels;
}

void elm_image_resize(elm_image_size in_size, const uint8_t *in, elm_image_box box,
                      elm_image_size out_size, uint8_t *out, void *work)
{
    const size_t n = (size_t)in_size.channels, out_line = (size_t)out_size.width * n;
    char *at = work;
    const taps across = make_taps(box.width, out_size.width, at);
    at += (taps_bytes(box.width, out_size.width) + sizeof(double) - 1) / sizeof(double) *
          sizeof(double);
    const taps down = make_taps(box.height, out_size.height, at);
    at += (taps_bytes(box.height, out_size.height) + sizeof(double) - 1) / sizeof(double) *
          sizeof(double);
    uint8_t *between = (uint8_t *)at; /* [box.height][out width][channels] */
    for (int y = 0; y < box.height; y++)
        for (int x = 0; x < out_size.width; x++)
            for (size_t c = 0; c < n; c++)
                between[(size_t)y * out_line + (size_t)x * n + c] =
                    weighted(in +
                                 ((size_t)(box.y + y) * (size_t)in_size.width +
                                  (size_t)(box.x + across.first[x])) *
                                     n +
                                 c,
                             n, across.weight + x * across.most, across.count[x]);
    for (int y = 0; y < out_size.height; y++)
        for (size_t i = 0; i < out_line; i++)
            out[(size_t)y * out_line + i] =
                weighted(between + (size_t)down.first[y] * out_line + i, out_line,
                         down.weight + y * down.most, down.count[y]);
}
