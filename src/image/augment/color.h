/* Color operations: what Pillow's ImageEnhance and ImageOps do to the values of pixels.
 *
 * All of them write `out`, which may be `in` unless said otherwise, for an image of `size`.
 * blend(d, x, a) below is trunc(clamp(d + a (x - d), 0, 255)) in fp32. */
#ifndef ELMPI_IMAGE_AUGMENT_COLOR_H
#define ELMPI_IMAGE_AUGMENT_COLOR_H

#include "image/augment/pixels.h"

/** blend(L, x, a), L = (19595 R + 38470 G + 7471 B + 32768) >> 16; one channel: unchanged. */
void elm_image_color(elm_image_size size, const uint8_t *in, uint8_t *out, double a);
/** blend(mean of L, rounded, x, a). */
void elm_image_contrast(elm_image_size size, const uint8_t *in, uint8_t *out, double a);
/** blend(0, x, a). */
void elm_image_brightness(elm_image_size size, const uint8_t *in, uint8_t *out, double a);
/** blend(S, x, a), S = x smoothed by (1 1 1; 1 5 1; 1 1 1) / 13, the outermost rows and columns
 * copied. out is not in. */
void elm_image_sharpness(elm_image_size size, const uint8_t *in, uint8_t *out, double a);

/** Each channel stretched to 0..255. */
void elm_image_autocontrast(elm_image_size size, const uint8_t *in, uint8_t *out, double unused);
/** Each channel's histogram made flat. */
void elm_image_equalize(elm_image_size size, const uint8_t *in, uint8_t *out, double unused);
/** Keeps the highest `bits` bits (0 to 8). */
void elm_image_posterize(elm_image_size size, const uint8_t *in, uint8_t *out, double bits);
/** Inverts values of `threshold` and more. */
void elm_image_solarize(elm_image_size size, const uint8_t *in, uint8_t *out, double threshold);
/** Adds `a` to values below 128. */
void elm_image_solarize_add(elm_image_size size, const uint8_t *in, uint8_t *out, double a);
void elm_image_invert(elm_image_size size, const uint8_t *in, uint8_t *out, double unused);

/** Three channels only. Turns the hue by x of a full turn, in Pillow's 8-bit HSV. */
void elm_image_hue(elm_image_size size, const uint8_t *in, uint8_t *out, double x);
/** Three channels only. R = G = B = L. */
void elm_image_gray(elm_image_size size, const uint8_t *in, uint8_t *out, double unused);

#endif
