/* Compiled without contraction of a * b + c (CMakeLists.txt): Pillow rounds after each
 * operation. */
#include "image/augment/blur.h"

#include <math.h>
#include <string.h>

enum { PASSES = 3 };

/** A box of 2 reach + 1 whole pixels and a share of the two beyond. */
typedef struct box {
    int reach;
    uint32_t whole, part; /* weights, of 2^24 in all */
} box;

static box box_of(double sigma)
{
    const float variance = (float)sigma * (float)sigma / (float)PASSES;
    const float length = (float)sqrt(12.0 * (double)variance + 1.0),
                l = (float)floor(((double)length - 1.0) / 2.0);
    const float a =
        ((2 * l + 1) * (l * (l + 1) - 3 * variance)) / (6 * (variance - (l + 1) * (l + 1)));
    const float radius = l + a;
    box b = {.reach = (int)radius};
    b.whole = (uint32_t)((float)(1 << 24) / (radius * 2 + 1));
    b.part = ((1u << 24) - (uint32_t)(2 * b.reach + 1) * b.whole) / 2;
    return b;
}

/* One line of `count` values `step` apart. */
static void blur_line(const uint8_t *in, uint8_t *out, int count, size_t step, box b)
{
    for (int i = 0; i < count; i++) {
        uint64_t inner = 0;
        for (int d = -b.reach; d <= b.reach; d++) {
            const int at = i + d < 0 ? 0 : i + d >= count ? count - 1 : i + d;
            inner += in[(size_t)at * step];
        }
        const int before = i - b.reach - 1 < 0 ? 0 : i - b.reach - 1,
                  after = i + b.reach + 1 >= count ? count - 1 : i + b.reach + 1;
        const uint64_t edges = (uint64_t)in[(size_t)before * step] + in[(size_t)after * step];
        out[(size_t)i * step] = (uint8_t)((inner * b.whole + edges * b.part + (1u << 23)) >> 24);
    }
}

static void blur_rows(elm_image_size size, const uint8_t *in, uint8_t *out, box b)
{
    const size_t n = (size_t)size.channels, line = (size_t)size.width * n;
    for (size_t y = 0; y < (size_t)size.height; y++)
        for (size_t c = 0; c < n; c++)
            blur_line(in + y * line + c, out + y * line + c, size.width, n, b);
}

static void blur_columns(elm_image_size size, const uint8_t *in, uint8_t *out, box b)
{
    const size_t line = (size_t)size.width * (size_t)size.channels;
    for (size_t i = 0; i < line; i++)
        blur_line(in + i, out + i, size.height, line, b);
}

void elm_image_blur(elm_image_size size, const uint8_t *in, uint8_t *out, double sigma,
                    uint8_t *work)
{
    const box b = box_of(sigma);
    blur_rows(size, in, work, b);
    blur_rows(size, work, out, b);
    blur_rows(size, out, work, b);
    blur_columns(size, work, out, b);
    blur_columns(size, out, work, b);
    blur_columns(size, work, out, b);
}
