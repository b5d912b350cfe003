/* Augmentation against a plain pad, crop and flip; normalisation; what is drawn how often. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/augment.h"

enum { SIDE_MAX = 32, PIXELS_MAX = SIDE_MAX * SIDE_MAX * 3 };

static const elm_store_info colour = {.dataset = "cifar10",
                                      .classes = 10,
                                      .height = 32,
                                      .width = 32,
                                      .channels = 3,
                                      .mean = {.49f, .48f, .45f},
                                      .deviation = {.25f, .24f, .26f}};
static const elm_store_info grey = {
    .dataset = "digits", .classes = 10, .height = 8, .width = 8, .channels = 1, .mean = {.3f}, .deviation = {.4f}};
static const elm_store_info oblong = {
    .dataset = "oblong", .classes = 2, .height = 5, .width = 9, .channels = 2, .mean = {.1f, .9f}, .deviation = {.5f, 2}};
static const elm_store_info points = {.dataset = "two-moons", .classes = 2, .features = 2};

static void fill_picture(const elm_store_info *info, uint8_t *picture)
{
    for (int i = 0; i < info->height * info->width * info->channels; i++)
        picture[i] = (uint8_t)(1 + i * 7 % 255);
}

static float normalised(const elm_store_info *info, int channel, int byte)
{
    return (float)((byte / 255.0 - info->mean[channel]) / info->deviation[channel]);
}

/* Pads the picture with zeros, cuts the window at (down, right) out of it, mirrors it, normalises. */
static void plain(const elm_store_info *info, int pad, int down, int right, bool flip, const uint8_t *picture, float *out)
{
    const int h = info->height, w = info->width, n = info->channels;
    static uint8_t padded[(SIDE_MAX + 8) * (SIDE_MAX + 8) * 3];
    memset(padded, 0, sizeof padded);
    for (int y = 0; y < h; y++)
        memcpy(padded + ((y + pad) * (w + 2 * pad) + pad) * n, picture + y * w * n, (size_t)w * n);
    for (int c = 0; c < n; c++)
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                const int from = flip ? w - 1 - x : x;
                out[(c * h + y) * w + x] = normalised(info, c, padded[((y + down) * (w + 2 * pad) + from + right) * n + c]);
            }
}

static void check_against_plain(const elm_store_info *info, const char *choice, int pad, bool flips)
{
    static uint8_t picture[PIXELS_MAX];
    static float out[PIXELS_MAX], expected[PIXELS_MAX];
    const int values = info->height * info->width * info->channels;
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, choice, info, &err), 0);
    assert_int_equal(augment.pad, pad);
    assert_int_equal(augment.flip, flips);
    fill_picture(info, picture);
    for (uint64_t position = 0; position < 500; position++) {
        elm_rng rng = elm_rng_stream(1, ELM_RNG_AUGMENT, 2, position), same = rng;
        elm_augment_picture(&augment, &rng, picture, out);
        const int down = pad > 0 ? (int)elm_rng_below(&same, 2 * (uint32_t)pad + 1) : 0;
        const int right = pad > 0 ? (int)elm_rng_below(&same, 2 * (uint32_t)pad + 1) : 0;
        const bool flip = flips && (elm_rng_u32(&same) & 1);
        plain(info, pad, down, right, flip, picture, expected);
        assert_memory_equal(out, expected, (size_t)values * sizeof *out);
        assert_memory_equal(&rng, &same, sizeof rng); /* nothing else was drawn */
    }
}

static void pad_crop_flip(void **state)
{
    (void)state;
    check_against_plain(&colour, "crop-flip", 4, true);
    check_against_plain(&colour, "auto", 4, true);
    check_against_plain(&oblong, "crop-flip", 4, true);
    check_against_plain(&grey, "crop-flip", 4, true);
}

static void shift(void **state)
{
    (void)state;
    check_against_plain(&grey, "shift", 1, false);
    check_against_plain(&grey, "auto", 1, false);
    check_against_plain(&oblong, "shift", 1, false);
}

static void none(void **state)
{
    (void)state;
    check_against_plain(&colour, "none", 0, false);
    check_against_plain(&oblong, "none", 0, false);
}

/* Steps by name are the old names' plans; the mean is 0 after normalization. */
static void steps_make_a_plan(void **state)
{
    (void)state;
    const struct {
        const char *text;
        elm_augment_plan plan;
    } good[] = {
        {"", {.automatic = true}},
        {"auto", {.automatic = true}},
        {"none", {0}},
        {"resized-crop", {.resized_crop = true}},
        {"crop-flip", {.pad = 4, .flip = true}},
        {"crop:4, flip", {.pad = 4, .flip = true}},
        {" crop:2:mean ,flip ", {.pad = 2, .pad_mean = true, .flip = true}},
        {"flip", {.flip = true}},
        {"shift", {.pad = 1}},
        {"shift:3", {.pad = 3}},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        elm_augment_plan plan;
        elm_error err = {0};
        if (elm_augment_parse(good[i].text, &plan, &err) != 0)
            fail_msg("\"%s\": %s", good[i].text, err.text);
        const elm_augment_plan *p = &good[i].plan;
        if (plan.automatic != p->automatic || plan.resized_crop != p->resized_crop || plan.pad != p->pad || plan.pad_mean != p->pad_mean ||
            plan.flip != p->flip)
            fail_msg("\"%s\" is another plan", good[i].text);
    }
    static const char *const bad[] = {"crop",
                                      "crop:",
                                      "crop:0",
                                      "crop:65",
                                      "crop:-1",
                                      "crop:4:",
                                      "crop:4:black",
                                      "flip:2",
                                      "flop",
                                      "crop:4,",
                                      "crop:4,,flip",
                                      ",",
                                      "flip, crop:4",
                                      "crop:4, crop:4",
                                      "flip,flip",
                                      "none, flip",
                                      "auto, flip",
                                      "crop:4x",
                                      "resized-crop, flip",
                                      "crop:99999999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elm_error err = {0};
        if (elm_augment_check(bad[i], &err) != -1)
            fail_msg("\"%s\" was accepted", bad[i]);
        assert_int_equal(err.code, ELM_EXIT_USAGE);
    }
}

static void border_of_the_mean(void **state)
{
    (void)state;
    static uint8_t picture[PIXELS_MAX];
    static float out[PIXELS_MAX];
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "crop:2:mean", &colour, &err), 0);
    memset(picture, 200, sizeof picture);
    int border = 0;
    for (uint64_t position = 0; position < 100; position++) {
        elm_rng rng = elm_rng_stream(4, ELM_RNG_AUGMENT, 0, position), same = rng;
        elm_augment_picture(&augment, &rng, picture, out);
        const int down = (int)elm_rng_below(&same, 5) - 2, right = (int)elm_rng_below(&same, 5) - 2;
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < 32; y++)
                for (int x = 0; x < 32; x++) {
                    const bool inside = y + down >= 0 && y + down < 32 && x + right >= 0 && x + right < 32;
                    assert_true(out[(c * 32 + y) * 32 + x] == (inside ? normalised(&colour, c, 200) : 0));
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
    static uint8_t picture[PIXELS_MAX];
    static float out[PIXELS_MAX];
    int seen[9][9][2] = {0};
    elm_augment augment;
    elm_error err = {0};
    assert_int_equal(elm_augment_init(&augment, "crop-flip", &colour, &err), 0);
    picture[(16 * 32 + 10) * 3] = 255; /* one pixel tells it all: 10 + 8 < 32 - 1 - 10 */
    for (uint64_t position = 0; position < DRAWS; position++) {
        elm_rng rng = elm_rng_stream(9, ELM_RNG_AUGMENT, 0, position);
        elm_augment_picture(&augment, &rng, picture, out);
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
        cmocka_unit_test(steps_make_a_plan),
        cmocka_unit_test(border_of_the_mean),
        cmocka_unit_test(draws_are_uniform),
        cmocka_unit_test(features_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
