/* Image: 8-bit pixels [height][width][channels], 1 channel or 3 (red, green, blue), as Pillow's
 * modes L and RGB. Every operation on them equals Pillow 9.4's bit for bit
 * (tests/unit/test_image_ops.c), so that augmentation means what published code means by it. */
#ifndef ELMPI_IMAGE_AUGMENT_PIXELS_H
#define ELMPI_IMAGE_AUGMENT_PIXELS_H

#include <stddef.h>
#include <stdint.h>

enum { ELM_IMAGE_CHANNELS_MAX = 3 };

typedef struct elm_image_size {
    int height, width, channels;
} elm_image_size;

static inline size_t elm_image_bytes(elm_image_size size)
{
    return (size_t)size.height * (size_t)size.width * (size_t)size.channels;
}

#endif
