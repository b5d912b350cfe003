#include "image/augment/operations.h"

#include "image/augment/color.h"

/* Every operation has one of the two. */
static const struct {
    void (*color)(elm_image_size size, const uint8_t *in, uint8_t *out, double value);
    elm_affine (*map)(elm_image_size size, double value);
} operations[ELM_OPERATIONS] = {
    [ELM_OP_SHEAR_X] = {.map = elm_affine_shear_x},
    [ELM_OP_SHEAR_Y] = {.map = elm_affine_shear_y},
    [ELM_OP_TRANSLATE_X] = {.map = elm_affine_translate_x},
    [ELM_OP_TRANSLATE_Y] = {.map = elm_affine_translate_y},
    [ELM_OP_ROTATE] = {.map = elm_affine_rotate},
    [ELM_OP_BRIGHTNESS] = {.color = elm_image_brightness},
    [ELM_OP_COLOR] = {.color = elm_image_color},
    [ELM_OP_CONTRAST] = {.color = elm_image_contrast},
    [ELM_OP_SHARPNESS] = {.color = elm_image_sharpness},
    [ELM_OP_POSTERIZE] = {.color = elm_image_posterize},
    [ELM_OP_SOLARIZE] = {.color = elm_image_solarize},
    [ELM_OP_SOLARIZE_ADD] = {.color = elm_image_solarize_add},
    [ELM_OP_AUTOCONTRAST] = {.color = elm_image_autocontrast},
    [ELM_OP_EQUALIZE] = {.color = elm_image_equalize},
    [ELM_OP_INVERT] = {.color = elm_image_invert},
    [ELM_OP_HUE] = {.color = elm_image_hue},
    [ELM_OP_GRAY] = {.color = elm_image_gray},
};

size_t elm_canvas_work_bytes(elm_image_size size)
{
    /* A part stretched to the whole has the fewest taps, the whole kept the most rows between
     * the passes. */
    const size_t resize = elm_image_resize_bytes(size, size), blur = elm_image_bytes(size);
    return resize > blur ? resize : blur;
}

void elm_canvas_swap(elm_canvas *canvas)
{
    uint8_t *image = canvas->other;
    canvas->other = canvas->image;
    canvas->image = image;
}

void elm_image_operate(elm_canvas *canvas, elm_image_operation operation, double value,
                       elm_resampling resampling, const uint8_t fill[3])
{
    if (operations[operation].color)
        operations[operation].color(canvas->size, canvas->image, canvas->other, value);
    else if (operations[operation].map)
        elm_image_affine(canvas->size, canvas->image, canvas->other,
                         operations[operation].map(canvas->size, value), resampling, fill);
    else
        return; /* identity */
    elm_canvas_swap(canvas);
}
