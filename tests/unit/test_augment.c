/* Augmentation against a plain pad, crop and flip; normalization; what is drawn how often. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/augment/augment.h"

enum { SIDE_MAX = 32, PIXELS_MAX = SIDE_MAX * SIDE_MAX * 3 };

static const elm_image_format color = {.dataset = "cifar10",
                                       .height = 32,
                                       .width = 32,
                                       .channels = 3,
                                       .mean = {.49f, .48f, .45f},
                                       .std = {.25f, .24f, .26f}};
static const elm_image_format gray = {
    .dataset = "digits", .height = 8, .width = 8, .channels = 1, .mean = {.3f}, .std = {.4f}};
static const elm_image_format oblong = {.dataset = "oblong",
                                        .height = 5,
                                        .width = 9,
                                        .channels = 2,
                                        .mean = {.1f, .9f},
                                        .std = {.5f, 2}};
static const elm_image_format points = {.dataset = "two-moons"};

static void fill_image(const elm_image_format *info, uint8_t *image)
{
    for (int i = 0; i < info->height * info->width * info->channels; i++)
        image[i] = (uint8_t)(1 + i * 7 % 255);
}

static float normalized(const elm_image_format *info, int channel, int byte)
{
    return (float)((byte / 255.0 - info->mean[channel]) / info->std[channel]);
}

/* Pads the image with zeros, cuts the window at (down, right) out of it, mirrors it,
 * normalizes. */
static void plain(const elm_image_format *info, int pad, int down, int right, bool flip,
                  const uint8_t *image, float *out)
{
    const int h = info->height, w = info->width, n = info->channels;
    static uint8_t padded[(SIDE_MAX + 8) * (SIDE_MAX + 8) * 3];
    memset(padded, 0, sizeof padded);
    for (int y = 0; y < h; y++)
        memcpy(padded + ((y + pad) * (w + 2 * pad) + pad) * n, image + y * w * n, (size_t)w * n);
    for (int c = 0; c < n; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                const int from = flip ? w - 1 - x : x;
                out[(c * h + y) * w + x] = normalized(
                    info, c, padded[((y + down) * (w + 2 * pad) + from + right) * n + c]);
            }
}

static void check_against_plain(const elm_image_format *info, const char *choice, int pad,
                                bool flips)
{
    static uint8_t image[PIXELS_MAX];
    static float out[PIXELS_MAX], expected[PIXELS_MAX];
    const int values = info->height * info->width * info->channels;
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, choice, info, &err), 0);
    assert_int_equal(augment.pad, pad);
    assert_int_equal(augment.flip, flips);
    fill_image(info, image);
    for (uint64_t position = 0; position < 500; position++) {
        elm_rng rng = elm_rng_stream(1, ELM_RNG_AUGMENT, 2, position), same = rng;
        elm_augment_image(&augment, NULL, &rng, image, out);
        const int down = pad > 0 ? (int)elm_rng_below(&same, 2 * (uint32_t)pad + 1) : 0;
        const int right = pad > 0 ? (int)elm_rng_below(&same, 2 * (uint32_t)pad + 1) : 0;
        const bool flip = flips && (elm_rng_u32(&same) & 1);
        plain(info, pad, down, right, flip, image, expected);
        assert_memory_equal(out, expected, (size_t)values * sizeof *out);
        assert_memory_equal(&rng, &same, sizeof rng); /* nothing else was drawn */
    }
}

static void pad_crop_flip(void **state)
{
    (void)state;
    check_against_plain(&color, "crop-flip", 4, true);
    check_against_plain(&color, "auto", 4, true);
    check_against_plain(&oblong, "crop-flip", 4, true);
    check_against_plain(&gray, "crop-flip", 4, true);
}

static void shift(void **state)
{
    (void)state;
    check_against_plain(&gray, "shift", 1, false);
    check_against_plain(&gray, "auto", 1, false);
    check_against_plain(&oblong, "shift", 1, false);
}

static void none(void **state)
{
    (void)state;
    check_against_plain(&color, "none", 0, false);
    check_against_plain(&oblong, "none", 0, false);
}

/* What crop and flip alone do in one pass is what the pipeline does step by step: the same
 * draws, the same pixels. */
static void one_pass_or_steps(void **state)
{
    (void)state;
    static uint8_t image[PIXELS_MAX];
    static float one[PIXELS_MAX], other[PIXELS_MAX];
    elm_augment plain, steps;
    elm_augment_work work;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&plain, "crop:4, flip", &color, &err), 0);
    assert_int_equal(elm_augment_init(&steps, "crop:4, flip, brightness:1", &color, &err), 0);
    assert_int_equal(plain.pipeline.count, 0);
    assert_int_equal(steps.pipeline.count, 3);
    assert_int_equal(elm_augment_work_init(&work, &steps, &err), 0);
    fill_image(&color, image);
    for (uint64_t position = 0; position < 200; position++) {
        elm_rng rng = elm_rng_stream(1, ELM_RNG_AUGMENT, 2, position), same = rng;
        elm_augment_image(&plain, NULL, &rng, image, one);
        elm_augment_image(&steps, &work, &same, image, other);
        assert_memory_equal(one, other, sizeof one);
        assert_memory_equal(&rng, &same, sizeof rng);
    }
    elm_augment_work_release(&work);
}

/* A rectangle of zeros, which are the mean, in all channels. */
static void erased_is_the_mean(void **state)
{
    (void)state;
    static uint8_t image[PIXELS_MAX];
    static float out[PIXELS_MAX];
    elm_augment augment;
    elm_augment_work work;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "erasing:1", &color, &err), 0);
    assert_int_equal(elm_augment_work_init(&work, &augment, &err), 0);
    memset(image, 7, sizeof image);
    elm_rng rng = elm_rng_stream(1, ELM_RNG_AUGMENT, 0, 0);
    elm_augment_image(&augment, &work, &rng, image, out);
    int zeros = 0;
    for (int i = 0; i < PIXELS_MAX; i++) {
        zeros += out[i] == 0;
        assert_true(out[i] == 0 || out[i] == normalized(&color, i / (32 * 32), 7));
    }
    assert_int_equal(zeros, 3 * work.canvas.erased[1] * work.canvas.erased[3]);
    assert_true(zeros > 0);
    elm_augment_work_release(&work);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const elm_image_format *info;
    } rows[] = {{"crop:32, flip", &color},
                {"crop:4:mean, flip, invert", &color},
                {"gray", &gray},
                {"flop", &color},
                {"invert", &points}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elm_augment augment;
        elm_error err = {0};
        if (elm_augment_init(&augment, rows[i].text, rows[i].info, &err) != -1)
            fail_msg("\"%s\" was accepted", rows[i].text);
        assert_int_equal(err.code, ELM_EXIT_USAGE);
    }
}

static void border_of_the_mean(void **state)
{
    (void)state;
    static uint8_t image[PIXELS_MAX];
    static float out[PIXELS_MAX];
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "crop:2:mean", &color, &err), 0);
    memset(image, 200, sizeof image);
    int border = 0;
    for (uint64_t position = 0; position < 100; position++) {
        elm_rng rng = elm_rng_stream(4, ELM_RNG_AUGMENT, 0, position), same = rng;
        elm_augment_image(&augment, NULL, &rng, image, out);
        const int down = (int)elm_rng_below(&same, 5) - 2, right = (int)elm_rng_below(&same, 5) - 2;
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 32; x++) {
                    const bool inside =
                        y + down >= 0 && y + down < 32 && x + right >= 0 && x + right < 32;
                    assert_true(out[(c * 32 + y) * 32 + x] ==
                                (inside ? normalized(&color, c, 200) : 0));
                    border += !inside;
                }
    }
    assert_true(border > 0);
}

/* Every offset and both directions turn up as often as they should. */
static void draws_are_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 16200 };
    static uint8_t image[PIXELS_MAX];
    static float out[PIXELS_MAX];
    int seen[9][9][2] = {0};
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "crop-flip", &color, &err), 0);
    image[(16 * 32 + 10) * 3] = 255; /* one pixel tells it all: 10 + 8 < 32 - 1 - 10 */
    for (uint64_t position = 0; position < DRAWS; position++) {
        elm_rng rng = elm_rng_stream(9, ELM_RNG_AUGMENT, 0, position);
        elm_augment_image(&augment, NULL, &rng, image, out);
        int at = 0;
        while (out[at] < 1)
            at++;
        const int y = at / 32, x = at % 32, flip = x > 15;
        seen[y - 12][flip ? x - 17 : x - 6][flip]++;
    }
    double chi_squared = 0;
    for (int i = 0; i < 162; i++)
        chi_squared += pow(((int *)seen)[i] - 100, 2) / 100;
    assert_true(chi_squared < 240); /* 161 degrees of freedom: mean 161, deviation 18 */
}

static void features_are_left_alone(void **state)
{
    (void)state;
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "auto", &points, &err), 0);
    assert_int_equal(elm_augment_init(&augment, "none", &points, &err), 0);
    assert_int_equal(elm_augment_init(&augment, "crop-flip", &points, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "data.augment"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pad_crop_flip),
        cmocka_unit_test(shift),
        cmocka_unit_test(none),
        cmocka_unit_test(one_pass_or_steps),
        cmocka_unit_test(erased_is_the_mean),
        cmocka_unit_test(refused),
        cmocka_unit_test(border_of_the_mean),
        cmocka_unit_test(draws_are_uniform),
        cmocka_unit_test(features_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
