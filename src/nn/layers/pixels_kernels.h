/* BatchNorm's passes over channels-last activations: rows of numbers, one a pixel, of which a
 * run of channels is taken (all of them, or a strip that one thread works on). Arrays of
 * per-channel values begin at the first channel of the run. batchnorm_kernels.h says what each pass
 * computes; where 16 is a multiple of the number of channels its functions serve channels last
 * as well. */
#ifndef ELMPI_NN_LAYERS_PIXELS_KERNELS_H
#define ELMPI_NN_LAYERS_PIXELS_KERNELS_H

#include "nn/layers/batchnorm_kernels.h"

/* Called by layers that are compiled for the same instruction set. */
#define elm_pixels_moments ELM_KERNEL(elm_pixels_moments)
#define elm_pixels_normalize ELM_KERNEL(elm_pixels_normalize)
#define elm_pixels_mask ELM_KERNEL(elm_pixels_mask)
#define elm_pixels_gradient ELM_KERNEL(elm_pixels_gradient)
#define elm_pixels_from_planes ELM_KERNEL(elm_pixels_from_planes)
#define elm_pixels_mean ELM_KERNEL(elm_pixels_mean)
#define elm_pixels_fill ELM_KERNEL(elm_pixels_fill)

typedef struct elm_pixels {
    size_t pixels, pitch; /* numbers from one pixel to the next */
    int channels;         /* of the run */
} elm_pixels;

/** Mean and sum of squared deviations of each channel. */
void elm_pixels_moments(const void *x, elm_pixels rows, float *mean, float *m2, elm_format format);

/** As elm_plane_normalize. */
void elm_pixels_normalize(const void *x, const void *residual, void *y, elm_pixels rows,
                          const float *scale, const float *shift, bool relu, elm_format format);

/** As elm_plane_mask. */
void elm_pixels_mask(void *gradient, const void *second, const void *x, elm_pixels rows,
                     const float *mean, const elm_gate *gate, float *sum, float *product,
                     elm_format format);

/** As elm_plane_gradient. */
void elm_pixels_gradient(const void *gradient, const void *x, void *dx, elm_pixels rows,
                         const float *a, const float *b, const float *c, const float *mean,
                         elm_format format);

/** Images [channels][pixels] in fp32 to [pixels][channels] in a format: the input cast. */
void elm_pixels_from_planes(const float *x, void *y, size_t pixels, int channels,
                            elm_format format);

/** Mean over the pixels of `channels` neighboring channels, in double precision and in the
 * pixels' order. */
void elm_pixels_mean(const void *x, elm_pixels rows, float *mean, elm_format format);

/** Sets every pixel's row to `values`. */
void elm_pixels_fill(void *x, elm_pixels rows, const float *values, elm_format format);

#endif
