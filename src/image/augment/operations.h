/* The operations that policies draw from and that pipelines name, in one table. */
#ifndef ELMPI_IMAGE_AUGMENT_OPERATIONS_H
#define ELMPI_IMAGE_AUGMENT_OPERATIONS_H

#include <stdbool.h>

#include "image/augment/geometry.h"

/** Places in the table. */
typedef enum elm_image_operation {
    ELM_OP_IDENTITY,
    ELM_OP_SHEAR_X,
    ELM_OP_SHEAR_Y,
    ELM_OP_TRANSLATE_X,
    ELM_OP_TRANSLATE_Y,
    ELM_OP_ROTATE,
    ELM_OP_BRIGHTNESS,
    ELM_OP_COLOR,
    ELM_OP_CONTRAST,
    ELM_OP_SHARPNESS,
    ELM_OP_POSTERIZE,
    ELM_OP_SOLARIZE,
    ELM_OP_SOLARIZE_ADD,
    ELM_OP_AUTOCONTRAST,
    ELM_OP_EQUALIZE,
    ELM_OP_INVERT,
    ELM_OP_HUE,
    ELM_OP_GRAY,
    ELM_OPERATIONS,
} elm_image_operation;

/** One image under way through a pipeline: `image` holds it, `other` and `work` are of use to
 * whoever changes it. */
typedef struct elm_canvas {
    elm_image_size size;
    uint8_t *image, *other; /* elm_image_bytes(size) each */
    void *work;             /* elm_canvas_work_bytes(size) */
    /* first row, rows, first column, columns: to be the mean, 0 after normalization */
    int erased[4];
} elm_canvas;

/** For resizing, blurring. */
size_t elm_canvas_work_bytes(elm_image_size size);

/** What was written to canvas->other becomes the image. */
void elm_canvas_swap(elm_canvas *canvas);

/** Applies an operation with a magnitude in its own unit (factor, degrees, pixels, bits,
 * threshold). */
void elm_image_operate(elm_canvas *canvas, elm_image_operation operation, double value,
                       elm_resampling resampling, const uint8_t fill[3]);

#endif
