/* BatchNorm's passes over one plane: one image's channel block, contiguous, pixel-major with
 * `block` channels a pixel (block divides 16). Vectors of 16 floats run along memory whatever
 * the block: with block 16 a lane is a channel, with block 1 (NCHW) sixteen lanes are sixteen
 * pixels of one channel, and sums are folded at the end. So one code serves every layout. Length
 * counts numbers, which lie there in one of two formats. All per-channel arrays are [block]. */
#ifndef ELMPI_NN_LAYERS_BATCHNORM_KERNELS_H
#define ELMPI_NN_LAYERS_BATCHNORM_KERNELS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu/kernels.h"
#include "nn/format.h"

/* Called by layers that are compiled for the same instruction set. */
#define elm_plane_moments ELM_KERNEL(elm_plane_moments)
#define elm_plane_normalize ELM_KERNEL(elm_plane_normalize)
#define elm_plane_mask ELM_KERNEL(elm_plane_mask)
#define elm_plane_gradient ELM_KERNEL(elm_plane_gradient)

/** Mean and sum of squared deviations of each channel. */
void elm_plane_moments(const void *x, size_t length, int block, float *mean, float *m2,
                       elm_format format);

/** y = x scale + shift [+ residual], then max(., 0) if relu. residual may be NULL; y may be x. */
void elm_plane_normalize(const void *x, const void *residual, void *y, size_t length, int block,
                         const float *scale, const float *shift, bool relu, elm_format format);

/** Where a ReLU lets gradients through: everywhere (no relu), where its output y > 0, or, with y
 * NULL, where x scale + shift > 0, which is what elm_plane_normalize computed when there was no
 * residual. */
typedef struct elm_gate {
    bool relu;
    const void *y;
    const float *scale, *shift;
} elm_gate;

/** gradient <- (gradient + second) where the gate is open, else 0; second may be NULL.
 *  sum = sum of the result, product = sum of the result times (x - mean). */
void elm_plane_mask(void *gradient, const void *second, const void *x, size_t length, int block,
                    const float *mean, const elm_gate *gate, float *sum, float *product,
                    elm_format format);

/** dx = a gradient + b (x - mean) + c; dx may be gradient. */
void elm_plane_gradient(const void *gradient, const void *x, void *dx, size_t length, int block,
                        const float *a, const float *b, const float *c, const float *mean,
                        elm_format format);

#endif
