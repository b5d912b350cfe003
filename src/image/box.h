/* Box: a rectangle of an image. */
#ifndef ELMPI_IMAGE_BOX_H
#define ELMPI_IMAGE_BOX_H

/** Columns x .. x + width - 1, rows y .. y + height - 1. */
typedef struct elm_image_box {
    int x, y, width, height;
} elm_image_box;

#endif
