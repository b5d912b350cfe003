/* Pipelines against a re-statement with Pillow and the same random numbers
 * (tests/golden/pipeline_golden.py); what is refused; what is erased. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/augment/pipeline.h"
#include "unit/hashed_images.h"

typedef struct golden_row {
    const char *text;
    elm_image_size size;
    uint64_t position;
    uint64_t sum;
} golden_row;

#include "golden/pipeline_golden.h"

static elm_canvas canvas_of(elm_image_size size)
{
    return (elm_canvas){.size = size,
                        .image = malloc(elm_image_bytes(size)),
                        .other = malloc(elm_image_bytes(size)),
                        .work = malloc(elm_canvas_work_bytes(size))};
}

static void canvas_free(elm_canvas *canvas)
{
    free(canvas->image);
    free(canvas->other);
    free(canvas->work);
}

static void parse(elm_pipeline *pipeline, const char *text)
{
    elm_error err = {0};
    if (elm_pipeline_parse(pipeline, text, &err) != 0)
        fail_msg("\"%s\": %s", text, err.text);
}

static void pipelines_equal_pillow(void **state)
{
    (void)state;
    int wrong = 0;
    for (size_t i = 0; i < sizeof golden_rows / sizeof *golden_rows; i++) {
        const golden_row *row = &golden_rows[i];
        elm_pipeline pipeline;
        parse(&pipeline, row->text);
        elm_canvas canvas = canvas_of(row->size);
        hashed_image((hashed_kind)(row->position % 3), row->size, canvas.image);
        elm_rng rng = elm_rng_stream(SEED, ELM_RNG_AUGMENT, EPOCH, row->position);
        elm_pipeline_apply(&pipeline, &canvas, &rng);
        if (elm_hash_64(ELM_HASH_64, canvas.image, elm_image_bytes(row->size)) != row->sum) {
            wrong++;
            print_message("%s at %d, %d x %d x %d: not Pillow's\n", row->text, (int)row->position,
                          row->size.height, row->size.width, row->size.channels);
        }
        canvas_free(&canvas);
    }
    assert_int_equal(wrong, 0);
}

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int steps;
    } good[] = {
        {"", 0},
        {"none", 0},
        {"crop-flip", 2},
        {" crop:2:mean ,flip ", 2},
        {"crop:pad=2, flip:probability=.3", 2},
        {"shift", 1},
        {"randaugment:2:9:timm, erasing", 2},
        {"randaugment:variant=timm-inc", 1},
        {"rotate:-30:bicubic", 1},
        {"blur:0.5:1:1", 1},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        elm_pipeline pipeline;
        parse(&pipeline, good[i].text);
        assert_int_equal(pipeline.count, good[i].steps);
    }
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"crop:", "bad pad"},
        {"crop:0", "from 1"},
        {"crop:4:", "border"},
        {"crop:4:blank", "black|mean"},
        {"crop:4:mean:1", "too many"},
        {"crop:pat=3", "did you mean pad"},
        {"flop", "did you mean flip"},
        {"autoagument", "did you mean autoaugment"},
        {"autoaugment:cifar", "cifar10|"},
        {"none, flip", "unknown"},
        {"flip,", "empty"},
        {"flip,,crop", "empty"},
        {",", "empty"},
        {"jitter", "needs its brightness"},
        {"jitter:nan", "bad brightness"},
        {"rotate", "needs its degrees"},
        {"posterize:9", "from 0 to 8"},
        {"blur:.5:2:1", "exchange"},
        {"erasing, flip", "last"},
        {"crop:1e99", "from 1"},
        {"equalize:1", "has 0"},
        {"flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip,flip",
         "more than 16"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elm_pipeline pipeline;
        elm_error err = {0};
        if (elm_pipeline_parse(&pipeline, bad[i].text, &err) != -1)
            fail_msg("\"%s\" was accepted", bad[i].text);
        assert_int_equal(err.code, ELM_EXIT_USAGE);
        if (strstr(err.text, bad[i].says) == NULL)
            fail_msg("\"%s\": %s", bad[i].text, err.text);
    }
    char long_text[2000];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    elm_pipeline pipeline;
    elm_error err = {0};
    assert_int_equal(elm_pipeline_parse(&pipeline, long_text, &err), -1);
}

/* Every kind of step runs within its bounds on images of any shape (a sanitizer's build looks
 * on). */
static void shapes(void **state)
{
    (void)state;
    static const elm_image_size sizes[] = {{1, 1, 3}, {1, 7, 3}, {9, 1, 1}, {2, 3, 3}, {64, 5, 1}};
    static const char *const all[] = {
        "autoaugment:cifar10",
        "autoaugment:imagenet",
        "randaugment:15:30",
        "randaugment:15:10:timm",
        "randaugment:15:10:timm-inc",
        "trivialaugment",
        "jitter:10:10, blur:1:20:20",
        "resized-crop",
        "cutout:1, erasing:1",
        "rotate:45:bilinear, shear-x:2:bicubic, shear-y:-2, translate-x:4096, translate-y:-1"};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t t = 0; t < sizeof all / sizeof *all; t++) {
            elm_pipeline pipeline;
            elm_error err = {0};
            parse(&pipeline, all[t]);
            assert_int_equal(elm_pipeline_check(&pipeline, sizes[s], &err), 0);
            elm_canvas canvas = canvas_of(sizes[s]);
            hashed_image(HASHED_NOISE, sizes[s], canvas.image);
            for (uint64_t position = 0; position < 50; position++) {
                elm_rng rng = elm_rng_stream(1, ELM_RNG_AUGMENT, 0, position);
                elm_pipeline_apply(&pipeline, &canvas, &rng);
            }
            canvas_free(&canvas);
        }
}

static void refused_for_the_images(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        elm_image_size size;
        const char *says;
    } rows[] = {
        {"gray", {8, 8, 1}, "changes colors"},
        {"color:2", {8, 8, 1}, "changes colors"},
        {"hue:.1", {8, 8, 1}, "changes colors"},
        {"jitter:.4:.4:.4", {8, 8, 1}, "changes colors"},
        {"jitter:.4:.4:0:.1", {8, 8, 1}, "changes colors"},
        {"crop:8, invert", {8, 9, 3}, "less than 8"},
        {"cutout:33", {16, 16, 3}, "hole"},
        {"invert", {8, 8, 2}, "1 or 3 channels"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elm_pipeline pipeline;
        elm_error err = {0};
        parse(&pipeline, rows[i].text);
        if (elm_pipeline_check(&pipeline, rows[i].size, &err) != -1)
            fail_msg("\"%s\" was accepted", rows[i].text);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("\"%s\": %s", rows[i].text, err.text);
    }
}

/* The share of images that lose a part, and how much of it. */
static void erased_parts(void **state)
{
    (void)state;
    enum { DRAWS = 4000, SIDE = 32 };
    const elm_image_size size = {SIDE, SIDE, 3};
    elm_pipeline pipeline;
    parse(&pipeline, "erasing:.25:.02:.33");
    elm_canvas canvas = canvas_of(size);
    hashed_image(HASHED_NOISE, size, canvas.image);
    int hit = 0;
    double area = 0;
    for (uint64_t position = 0; position < DRAWS; position++) {
        elm_rng rng = elm_rng_stream(3, ELM_RNG_AUGMENT, 0, position);
        elm_pipeline_apply(&pipeline, &canvas, &rng);
        const int *e = canvas.erased;
        assert_true(e[0] >= 0 && e[0] + e[1] <= SIDE && e[2] >= 0 && e[2] + e[3] <= SIDE);
        hit += e[1] > 0;
        area += (double)e[1] * e[3] / (SIDE * SIDE);
    }
    assert_in_range(hit, DRAWS * 22 / 100, DRAWS * 28 / 100);
    /* uniform from .02 to .33, less what does not fit */
    assert_true(area / hit > .13 && area / hit < .19);
    canvas_free(&canvas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelines_equal_pillow),
        cmocka_unit_test(texts),
        cmocka_unit_test(shapes),
        cmocka_unit_test(refused_for_the_images),
        cmocka_unit_test(erased_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
