/* im2col: the unfolding of an image into the matrix that a convolution multiplies with its
 * weights, and back. */
#ifndef ELMPI_NN_BACKENDS_IM2COL_H
#define ELMPI_NN_BACKENDS_IM2COL_H

#include "base/cpu/kernels.h"
#include "nn/backends/backend.h"

/** Shape:  image NCHW; columns [in_channels][kernel][kernel][out_height][out_width] */
typedef struct elm_im2col_kernels {
    void (*unfold)(const elm_conv_shape *shape, const float *image, float *columns);
    void (*fold)(const elm_conv_shape *shape, const float *columns, float *image); /* adds */
} elm_im2col_kernels;

ELM_KERNELS(elm_im2col_kernels, elm_im2col);

#endif
