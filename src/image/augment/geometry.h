/* Geometry: images sheared, moved, turned, resized. `out` is never `in`.
 *
 * Output pixel (x, y) takes the point (u, v) of the input; points outside the image take `fill`. */
#ifndef ELMPI_IMAGE_AUGMENT_GEOMETRY_H
#define ELMPI_IMAGE_AUGMENT_GEOMETRY_H

#include "image/augment/pixels.h"
#include "image/box.h"

#define ELM_RESAMPLING_CHOICES "nearest|bilinear|bicubic"

/** Places in ELM_RESAMPLING_CHOICES. */
typedef enum elm_resampling { ELM_NEAREST, ELM_BILINEAR, ELM_BICUBIC } elm_resampling;

/** Where points come from: u = m[0] (x + 1/2) + m[1] (y + 1/2) + m[2], v likewise with m[3],
 * m[4], m[5]. */
typedef struct elm_affine {
    double m[6];
} elm_affine;

elm_affine elm_affine_shear_x(elm_image_size size, double s); /* u = X + s Y */
elm_affine elm_affine_shear_y(elm_image_size size, double s); /* v = s X + Y */
/* u = X + t: t > 0 moves the image left */
elm_affine elm_affine_translate_x(elm_image_size size, double t);
elm_affine elm_affine_translate_y(elm_image_size size, double t);
/* about the center, counter-clockwise */
elm_affine elm_affine_rotate(elm_image_size size, double degrees);

/** Math:   nearest in 16.16 fixed point, or along axes in fp64, as Pillow; bilinear and bicubic
 *          (a = -1) in fp64, truncated */
void elm_image_affine(elm_image_size size, const uint8_t *in, uint8_t *out, elm_affine map,
                      elm_resampling resampling, const uint8_t fill[ELM_IMAGE_CHANNELS_MAX]);

/** Bytes of work space that elm_image_resize needs. */
size_t elm_image_resize_bytes(elm_image_size in, elm_image_size out);

/** The part `box` resized to out_size, bilinear with antialiasing, 8 bits between the two passes,
 * as Pillow's Image.resize.
 *  Shape:  work [elm_image_resize_bytes], aligned for doubles */
void elm_image_resize(elm_image_size in_size, const uint8_t *in, elm_image_box box,
                      elm_image_size out_size, uint8_t *out, void *work);

#endif
