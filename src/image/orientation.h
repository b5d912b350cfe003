/* Orientation: how stored pixels are shown (EXIF, tag 0x0112). */
#ifndef ELMPI_IMAGE_ORIENTATION_H
#define ELMPI_IMAGE_ORIENTATION_H

#include <stdbool.h>

/** First mirrored in their own directions, then rows and columns exchanged. */
typedef struct elm_orientation {
    bool mirror_x, mirror_y, exchange;
} elm_orientation;

/** Of EXIF's 1 .. 8. */
static inline elm_orientation elm_orientation_of(int exif)
{
    static const elm_orientation rows[9] = {
        [1] = {false, false, false}, [2] = {true, false, false}, [3] = {true, true, false},
        [4] = {false, true, false},  [5] = {false, false, true}, [6] = {false, true, true},
        [7] = {true, true, true},    [8] = {true, false, true},
    };
    return rows[exif];
}

#endif
