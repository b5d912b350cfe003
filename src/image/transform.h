/* Image input: an image's file as the network's input: cropped, resized, flipped, normalized. */
#ifndef ELMPI_IMAGE_TRANSFORM_H
#define ELMPI_IMAGE_TRANSFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"
#include "image/decode.h"
#include "image/format.h"

/** What is done to every image. */
typedef struct elm_image_transform {
    int crop; /* side of the input */
    /* evaluation: length of the short side before the center is cut out */
    int resize;
    /* training: random resized crop, half of them flipped; else resize and center */
    bool random, flip;
    double area[2];           /* the least and the most of an image that is cut out at random */
    float gain[3], offset[3]; /* of a byte, by channel: x / 255 less the mean, by the deviation */
} elm_image_transform;

elm_image_transform elm_image_transform_of(const elm_image_format *format, int crop, int resize,
                                           bool random);

/** A random part of an image.
 *  Math:   torchvision's RandomResizedCrop.get_params: ten draws of an area in area[0]..area[1]
 *          of the image's and of a ratio in 3/4..4/3 (uniform in its logarithm), sides
 *          rounded; the first that fits goes to a random place; else the largest center within
 *          3/4..4/3 */
elm_image_box elm_image_draw_box(int width, int height, const double area[2], elm_rng *rng);

/** One thread's means of reading images. */
typedef struct elm_image_reader elm_image_reader;

/** Owns:   the caller destroys */
int elm_image_reader_create(elm_image_reader **reader, elm_error *err);
void elm_image_reader_destroy(elm_image_reader *reader);

/** Decodes, transforms and normalizes an image, turned as its EXIF orientation says.
 *  Shape:  bytes [size_bytes]: a whole file; out float [3][crop][crop]
 *  Math:   training: draw_box, resized to crop x crop, then flipped left to right in half of the
 *          cases; evaluation: torchvision's Resize (short side) and CenterCrop. Bilinear with
 *          antialiasing, like PIL's without its rounding to bytes in between. An image much larger
 *          than needed is decoded smaller (libjpeg's scaling, only as far as no detail of the
 *          result is lost)
 *  Errors: as elm_decoder_read; out is unspecified then */
int elm_image_read(elm_image_reader *reader, const elm_image_transform *transform, elm_rng *rng,
                   const uint8_t *bytes, size_t size_bytes, float *out, elm_error *err);

#endif
