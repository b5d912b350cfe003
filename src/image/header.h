/* Image header: what an image's file says of itself, without decoding it. */
#ifndef ELMPI_IMAGE_HEADER_H
#define ELMPI_IMAGE_HEADER_H

#include <stddef.h>
#include <stdint.h>

enum {
    ELM_IMAGE_PIXELS_MAX = 1 << 27, /* ImageNet's largest has 61 million */
    ELM_IMAGE_SIDE_MAX = 65535,     /* JPEG's own limit */
};

typedef enum elm_image_encoding { ELM_IMAGE_JPEG, ELM_IMAGE_PNG } elm_image_encoding;

typedef struct elm_image_header {
    elm_image_encoding format;
    int width, height; /* as stored, before any rotation */
    int orientation;   /* EXIF's 1..8; 1 where the file does not say */
} elm_image_header;

static inline int elm_image_short_side(const elm_image_header *header)
{
    return header->width < header->height ? header->width : header->height;
}

/** Reads the header of a whole JPEG or PNG file and looks for the mark of its end.
 *  Shape:  bytes [size_bytes]: the whole file
 *  Errors: NULL when it is one, else why not, in a few words ("truncated") */
const char *elm_image_header_read(elm_image_header *header, const uint8_t *bytes,
                                  size_t size_bytes);

#endif
