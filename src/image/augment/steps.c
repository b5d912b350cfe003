#include "image/augment/steps.h"

#include <math.h>
#include <string.h>

#include "image/augment/blur.h"
#include "image/augment/color.h"
#include "image/augment/policies.h"

static const uint8_t black[3] = {0};

static bool happens(elm_rng *rng, double probability)
{
    return probability >= 1 || elm_rng_uniform(rng) < probability;
}

/* What lies `down` and `right` of each place; black from outside. */
static void move(elm_canvas *canvas, int down, int right)
{
    const elm_image_size size = canvas->size;
    const size_t n = (size_t)size.channels, line = (size_t)size.width * n;
    const int first = right < 0 ? -right : 0, end = right > 0 ? size.width - right : size.width;
    memset(canvas->other, 0, elm_image_bytes(size));
    for (int y = 0; y < size.height; y++)
        if (y + down >= 0 && y + down < size.height && first < end)
            memcpy(canvas->other + (size_t)y * line + (size_t)first * n,
                   canvas->image + (size_t)(y + down) * line + (size_t)(first + right) * n,
                   (size_t)(end - first) * n);
    elm_canvas_swap(canvas);
}

/* Draws: down, right. */
void elm_step_crop(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    const int pad = (int)step->value[0];
    const int down = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad,
              right = (int)elm_rng_below(rng, 2 * (uint32_t)pad + 1) - pad;
    move(canvas, down, right);
}

static void mirror(elm_canvas *canvas)
{
    const size_t n = (size_t)canvas->size.channels, width = (size_t)canvas->size.width;
    for (size_t y = 0; y < (size_t)canvas->size.height; y++)
        for (size_t x = 0; x < width; x++)
            memcpy(canvas->other + (y * width + x) * n,
                   canvas->image + (y * width + width - 1 - x) * n, n);
    elm_canvas_swap(canvas);
}

/* Draws: a coin; with another probability than one half a uniform number. */
void elm_step_flip(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    const bool flip =
        step->value[0] == 0.5 ? (elm_rng_u32(rng) & 1) != 0 : happens(rng, step->value[0]);
    if (flip)
        mirror(canvas);
}

static int whole(double v)
{
    return (int)rint(v);
}

/* The largest part in the middle with a ratio of 3/4 to 4/3. */
static elm_image_box middle_box(elm_image_size size)
{
    const double ratio = (double)size.width / size.height;
    int width = size.width, height = size.height;
    if (ratio < 3.0 / 4)
        height = whole(width / (3.0 / 4));
    else if (ratio > 4.0 / 3)
        width = whole(height * (4.0 / 3));
    return (elm_image_box){(size.width - width) / 2, (size.height - height) / 2, width, height};
}

/* Draws, up to ten times: area, ratio; then column, row. */
static elm_image_box random_box(elm_image_size size, double least, double most, elm_rng *rng)
{
    const double low = log(3.0 / 4), high = log(4.0 / 3);
    for (int i = 0; i < 10; i++) {
        const double area =
            size.height * size.width * (least + (most - least) * elm_rng_uniform(rng));
        const double ratio = exp(low + (high - low) * elm_rng_uniform(rng));
        const int width = whole(sqrt(area * ratio)), height = whole(sqrt(area / ratio));
        if (width < 1 || height < 1 || width > size.width || height > size.height)
            continue;
        const int y = (int)elm_rng_below(rng, (uint32_t)(size.height - height) + 1);
        const int x = (int)elm_rng_below(rng, (uint32_t)(size.width - width) + 1);
        return (elm_image_box){x, y, width, height};
    }
    return middle_box(size);
}

void elm_step_resized_crop(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    const elm_image_box box = random_box(canvas->size, step->value[0], step->value[1], rng);
    elm_image_resize(canvas->size, canvas->image, box, canvas->size, canvas->other, canvas->work);
    elm_canvas_swap(canvas);
}

void elm_step_autoaugment(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    elm_autoaugment(canvas, (int)step->value[0], rng);
}

void elm_step_randaugment(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    elm_randaugment(canvas, (int)step->value[2], (int)step->value[0], step->value[1], rng);
}

void elm_step_trivialaugment(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    (void)step;
    elm_trivialaugment(canvas, rng);
}

/* Draws: whether; the order of the four (elm_rng_shuffle); the factor of each, in that order,
 * unless its parameter is 0. */
void elm_step_jitter(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    static const elm_image_operation four[] = {ELM_OP_BRIGHTNESS, ELM_OP_CONTRAST, ELM_OP_COLOR,
                                               ELM_OP_HUE};
    int order[] = {0, 1, 2, 3};
    if (!happens(rng, step->value[4]))
        return;
    elm_rng_shuffle(rng, order, 4, sizeof *order);
    for (int i = 0; i < 4; i++) {
        const double by = step->value[order[i]];
        if (by == 0)
            continue;
        const double drawn = by * (2 * elm_rng_uniform(rng) - 1), factor = fmax(0, 1 + drawn);
        elm_image_operate(canvas, four[order[i]], four[order[i]] == ELM_OP_HUE ? drawn : factor,
                          ELM_NEAREST, black);
    }
}

void elm_step_gray(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    if (happens(rng, step->value[0]))
        elm_image_operate(canvas, ELM_OP_GRAY, 0, ELM_NEAREST, black);
}

/* Draws: whether, deviation. */
void elm_step_blur(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    if (!happens(rng, step->value[0]))
        return;
    const double sigma = step->value[1] + (step->value[2] - step->value[1]) * elm_rng_uniform(rng);
    elm_image_blur(canvas->size, canvas->image, canvas->image, sigma, canvas->work);
}

static int within(int v, int limit)
{
    return v < 0 ? 0 : v > limit ? limit : v;
}

/* Draws: row and column of the hole's center. */
void elm_step_cutout(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    const elm_image_size size = canvas->size;
    const int side = (int)step->value[0], y = (int)elm_rng_below(rng, (uint32_t)size.height);
    const int x = (int)elm_rng_below(rng, (uint32_t)size.width);
    const int top = within(y - side / 2, size.height),
              bottom = within(y - side / 2 + side, size.height);
    const int left = within(x - side / 2, size.width),
              right = within(x - side / 2 + side, size.width);
    const size_t n = (size_t)size.channels;
    for (int row = top; row < bottom; row++)
        memset(canvas->image + ((size_t)row * (size_t)size.width + (size_t)left) * n, 0,
               (size_t)(right - left) * n);
}

/* Draws: whether; up to ten times area and ratio; then row, column. torchvision's RandomErasing
 * with value 0, which is the mean. */
void elm_step_erasing(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)
{
    const elm_image_size size = canvas->size;
    const double low = log(0.3), high = log(3.3);
    if (!happens(rng, step->value[0]))
        return;
    for (int i = 0; i < 10; i++) {
        const double area =
            size.height * size.width *
            (step->value[1] + (step->value[2] - step->value[1]) * elm_rng_uniform(rng));
        const double ratio = exp(low + (high - low) * elm_rng_uniform(rng));
        const int height = whole(sqrt(area * ratio)), width = whole(sqrt(area / ratio));
        if (height < 1 || width < 1 || height >= size.height || width >= size.width)
            continue;
        canvas->erased[0] = (int)elm_rng_below(rng, (uint32_t)(size.height - height) + 1);
        canvas->erased[1] = height;
        canvas->erased[2] = (int)elm_rng_below(rng, (uint32_t)(size.width - width) + 1);
        canvas->erased[3] = width;
        return;
    }
}

#define SINGLE(name, operation)                                                                    \
    void elm_step_##name(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng)           \
    {                                                                                              \
        (void)rng;                                                                                 \
        elm_image_operate(canvas, operation, step->value[0], (elm_resampling)step->value[1],       \
                          black);                                                                  \
    }

SINGLE(shear_x, ELM_OP_SHEAR_X)
SINGLE(shear_y, ELM_OP_SHEAR_Y)
SINGLE(translate_x, ELM_OP_TRANSLATE_X)
SINGLE(translate_y, ELM_OP_TRANSLATE_Y)
SINGLE(rotate, ELM_OP_ROTATE)
SINGLE(brightness, ELM_OP_BRIGHTNESS)
SINGLE(color, ELM_OP_COLOR)
SINGLE(contrast, ELM_OP_CONTRAST)
SINGLE(sharpness, ELM_OP_SHARPNESS)
SINGLE(posterize, ELM_OP_POSTERIZE)
SINGLE(solarize, ELM_OP_SOLARIZE)
SINGLE(solarize_add, ELM_OP_SOLARIZE_ADD)
SINGLE(autocontrast, ELM_OP_AUTOCONTRAST)
SINGLE(equalize, ELM_OP_EQUALIZE)
SINGLE(invert, ELM_OP_INVERT)
SINGLE(hue, ELM_OP_HUE)
