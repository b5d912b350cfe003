/* Picture header: what a picture's file says of itself, without decoding it. */
#ifndef ELMPI_IMAGE_HEADER_H
#define ELMPI_IMAGE_HEADER_H

#include <stddef.h>
#include <stdint.h>

enum {
    ELM_PICTURE_PIXELS_MAX = 1 << 27, /* ImageNet's largest has 61 million */
    ELM_PICTURE_SIDE_MAX = 65535,     /* JPEG's own limit */
};

typedef enum elm_picture_format { ELM_PICTURE_JPEG, ELM_PICTURE_PNG } elm_picture_format;

typedef struct elm_picture_header {
    elm_picture_format format;
    int width, height; /* as stored, before any rotation */
    int orientation;   /* EXIF's 1..8; 1 where the file does not say */
} elm_picture_header;

static inline int elm_picture_short_side(const elm_picture_header *header)
{
    return header->width < header->height ? header->width : header->height;
}

/** Reads the header of a whole JPEG or PNG file and looks for the mark of its end.
 *  Shape:  bytes [size_bytes]: the whole file
 *  Errors: NULL when it is one, else why not, in a few words ("truncated") */
const char *elm_picture_header_read(elm_picture_header *header, const uint8_t *bytes,
                                    size_t size_bytes);

#endif
