/* Gaussian blur as Pillow's ImageFilter.GaussianBlur: three passes of an extended box (Gwosdek
 * et al. 2011) in either direction. */
#ifndef ELMPI_IMAGE_AUGMENT_BLUR_H
#define ELMPI_IMAGE_AUGMENT_BLUR_H

#include "image/augment/pixels.h"

/** Math:   sigma is the Gaussian's deviation in pixels; edges are repeated; 8 bits between the
 *          passes
 *  Shape:  work [elm_image_bytes(size)]; out may be in */
void elm_image_blur(elm_image_size size, const uint8_t *in, uint8_t *out, double sigma,
                    uint8_t *work);

#endif
