/* Steps: what a pipeline's steps do. Each draws what it needs from rng, in the order of its
 * description in steps.c. */
#ifndef ELMPI_IMAGE_AUGMENT_STEPS_H
#define ELMPI_IMAGE_AUGMENT_STEPS_H

#include "image/augment/pipeline.h"

typedef void elm_step_apply(const elm_augment_step *step, elm_canvas *canvas, elm_rng *rng);

elm_step_apply elm_step_crop, elm_step_flip, elm_step_resized_crop, elm_step_autoaugment,
    elm_step_randaugment, elm_step_trivialaugment, elm_step_jitter, elm_step_gray, elm_step_blur,
    elm_step_cutout, elm_step_erasing;

/** A single operation with a fixed magnitude: value[0]; geometry also value[1], the resampling. */
elm_step_apply elm_step_shear_x, elm_step_shear_y, elm_step_translate_x, elm_step_translate_y,
    elm_step_rotate, elm_step_brightness, elm_step_color, elm_step_contrast, elm_step_sharpness,
    elm_step_posterize, elm_step_solarize, elm_step_solarize_add, elm_step_autocontrast,
    elm_step_equalize, elm_step_invert, elm_step_hue;

#endif
