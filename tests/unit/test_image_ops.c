/* Pixel operations against Pillow, bit for bit (tests/golden/image_ops_golden.py). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "image/augment/blur.h"
#include "image/augment/color.h"
#include "image/augment/geometry.h"
#include "unit/hashed_images.h"

typedef struct golden_row {
    const char *name;
    double value;
    elm_resampling resampling;
    hashed_kind kind;
    elm_image_size size;
    uint64_t sum; /* FNV-1a of the result */
} golden_row;

typedef struct golden_resize {
    elm_image_size size;
    elm_image_box box;
    elm_image_size out;
    uint64_t sum;
} golden_resize;

#include "golden/image_ops_golden.h"

enum { BYTES_MAX = 64 * 64 * 3 };

static const uint8_t fill[3] = {124, 116, 104};

static const struct {
    const char *name;
    void (*color)(elm_image_size, const uint8_t *, uint8_t *, double);
    elm_affine (*map)(elm_image_size, double);
} operations[] = {
    {"color", elm_image_color, NULL},
    {"contrast", elm_image_contrast, NULL},
    {"brightness", elm_image_brightness, NULL},
    {"sharpness", elm_image_sharpness, NULL},
    {"autocontrast", elm_image_autocontrast, NULL},
    {"equalize", elm_image_equalize, NULL},
    {"posterize", elm_image_posterize, NULL},
    {"solarize", elm_image_solarize, NULL},
    {"solarize-add", elm_image_solarize_add, NULL},
    {"invert", elm_image_invert, NULL},
    {"hue", elm_image_hue, NULL},
    {"gray", elm_image_gray, NULL},
    {"blur", NULL, NULL},
    {"shear-x", NULL, elm_affine_shear_x},
    {"shear-y", NULL, elm_affine_shear_y},
    {"translate-x", NULL, elm_affine_translate_x},
    {"translate-y", NULL, elm_affine_translate_y},
    {"rotate", NULL, elm_affine_rotate},
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void apply(const golden_row *row, const uint8_t *in, uint8_t *out)
{
    static uint8_t work[BYTES_MAX];
    for (size_t i = 0; i < OPERATIONS; i++) {
        if (strcmp(operations[i].name, row->name) != 0)
            continue;
        if (operations[i].color)
            operations[i].color(row->size, in, out, row->value);
        else if (operations[i].map)
            elm_image_affine(row->size, in, out, operations[i].map(row->size, row->value),
                             row->resampling, fill);
        else
            elm_image_blur(row->size, in, out, row->value, work);
        return;
    }
    fail_msg("no operation %s", row->name);
}

static void operations_equal_pillow(void **state)
{
    (void)state;
    static uint8_t in[BYTES_MAX], out[BYTES_MAX];
    int wrong = 0;
    for (size_t i = 0; i < sizeof golden_rows / sizeof *golden_rows; i++) {
        const golden_row *row = &golden_rows[i];
        hashed_image(row->kind, row->size, in);
        apply(row, in, out);
        if (elm_hash_64(ELM_HASH_64, out, elm_image_bytes(row->size)) != row->sum) {
            wrong++;
            print_message("%s %.3g, resampling %d, image %d of %d x %d x %d: not Pillow's\n",
                          row->name, row->value, (int)row->resampling, (int)row->kind,
                          row->size.height, row->size.width, row->size.channels);
        }
    }
    assert_int_equal(wrong, 0);
}

static void resizes_equal_pillow(void **state)
{
    (void)state;
    static uint8_t in[BYTES_MAX], out[BYTES_MAX];
    int wrong = 0;
    for (size_t i = 0; i < sizeof golden_resizes / sizeof *golden_resizes; i++) {
        const golden_resize *row = &golden_resizes[i];
        hashed_image(HASHED_NOISE, row->size, in);
        void *work = malloc(elm_image_resize_bytes(row->size, row->out));
        elm_image_resize(row->size, in, row->box, row->out, out, work);
        free(work);
        if (elm_hash_64(ELM_HASH_64, out, elm_image_bytes(row->out)) != row->sum) {
            wrong++;
            print_message("%d x %d, box %d %d %d %d to %d x %d: not Pillow's\n", row->size.height,
                          row->size.width, row->box.x, row->box.y, row->box.width, row->box.height,
                          row->out.height, row->out.width);
        }
    }
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(operations_equal_pillow),
                                       cmocka_unit_test(resizes_equal_pillow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
