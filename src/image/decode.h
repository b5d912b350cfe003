/* Image decode: part of a JPEG or PNG file as pixels, made smaller on the way where it is much
 * too large. */
#ifndef ELMPI_IMAGE_DECODE_H
#define ELMPI_IMAGE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"
#include "image/box.h"
#include "image/header.h"

/* red, green, blue and one without meaning: a pixel fills a register evenly */
enum { ELM_PIXEL_BYTES = 4 };

/** What reading an image may come to: done, or the image is at fault; -1, that of any
 * function, means that the means failed (memory), so nothing is known of the image. */
enum { ELM_IMAGE_DONE = 0, ELM_IMAGE_CORRUPT = 1 };

/** The reason where pixels.damaged is not to be tolerated. */
extern const char elm_image_damaged[];

/** Sets the reason and returns ELM_IMAGE_CORRUPT. */
int elm_image_corrupt(elm_error *err, const char *reason);

/** Pixels of a box, in an image that is `reduction` times smaller than the stored one. Borrowed
 * until the decoder's next call. */
typedef struct elm_pixels {
    const uint8_t *pixels;         /* [height][stride], ELM_PIXEL_BYTES a pixel */
    size_t stride;                 /* bytes of a row */
    int x, y, width, height;       /* what of the smaller image is here; at least the box */
    int whole_width, whole_height; /* of the whole smaller image */
    /* some of them are guesses: the file's data are broken or end early */
    bool damaged;
} elm_pixels;

/** One thread's decoder: libjpeg's state and a buffer that grows as images need it. */
typedef struct elm_decoder elm_decoder;

/** Owns:   the caller destroys */
int elm_decoder_create(elm_decoder **decoder, elm_error *err);
void elm_decoder_destroy(elm_decoder *decoder);

/** Decodes `box` of an image, 1/reduction of its size (1, 2, 4 or 8; PNG: always 1) in each
 * direction. Gray, CMYK and palettes become red, green and blue; transparency is left out.
 *  Errors: ELM_IMAGE_CORRUPT for what cannot be decoded: the text is the reason alone
 *          ("Unsupported marker type 0xc4"), for the caller to put into a sentence; -1: memory */
int elm_decoder_read(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                     const elm_image_header *header, elm_image_box box, int reduction,
                     elm_pixels *pixels, elm_error *err);

#endif
