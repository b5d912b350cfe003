/* Resample: bilinear with antialiasing, as PIL and torchvision do it: a triangle that spans one
 * output pixel to either side. */
#ifndef ELMPI_IMAGE_RESAMPLE_H
#define ELMPI_IMAGE_RESAMPLE_H

#include <stdint.h>

#include "base/cpu/kernels.h"
#include "image/decode.h"
#include "image/orientation.h"

/** One direction of a resize: `length` input pixels from `begin` on become `full` output pixels,
 * of which start .. start + count - 1 are wanted. Nothing outside [low, high) is read. */
typedef struct elm_axis_view {
    double begin, length;
    int low, high;
    int full, start, count;
} elm_axis_view;

/** Weights of one direction, made for a view. */
typedef struct elm_axis {
    int count, taps;
    int *first;     /* [count] first input pixel of each output pixel */
    float *weights; /* [count][taps], 0 behind the last pixel that counts */
    int capacity;   /* taps there is room for */
} elm_axis;

/** Where an output pixel goes: out[channel * plane + start + x * step_x + y * step_y] = value *
 * gain[channel] + offset[channel]. */
typedef struct elm_output_layout {
    int64_t plane, start, step_x, step_y;
    float gain[3], offset[3];
} elm_output_layout;

/** Where pixels of a resized stored image go so that the result is turned as EXIF says, values as
 * they are.
 *  Shape:  width, height: of the result as it is shown */
elm_output_layout elm_layout_turned(elm_orientation turn, int width, int height);

/** Math:   center c = begin + (i + 1/2) length / full, half width s = max(1, length / full); weight
 *          of pixel x is max(0, 1 - |x + 1/2 - c| / s), scaled to a sum of 1 over the pixels within
 *          [low, high)
 *  Owns:   grows the axis' memory; elm_axis_free
 *  Errors: memory */
int elm_axis_make(elm_axis *axis, const elm_axis_view *view, elm_error *err);
void elm_axis_free(elm_axis *axis);

typedef struct elm_resample_kernels {
    /** Resizes pixels, both directions in one go.
     *  Shape:  the pixels cover what the axes read; line: room for pixels->width *
     *          ELM_PIXEL_BYTES floats, aligned to 16 bytes */
    void (*resample)(const elm_pixels *pixels, const elm_axis *across, const elm_axis *down,
                     float *line, const elm_output_layout *layout, float *out);
} elm_resample_kernels;

ELM_KERNELS(elm_resample_kernels, elm_resampler);

#endif
