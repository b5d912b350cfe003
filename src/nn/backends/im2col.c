#include "nn/backends/im2col.h"

#include <string.h>

/* First and one-past-last output column whose input column o * stride + offset lies inside the
 * image. */
static void inside(int offset, int stride, int extent, int outputs, int *first, int *last)
{
    *first = offset < 0 ? (-offset + stride - 1) / stride : 0;
    *last = extent > offset ? (extent - offset + stride - 1) / stride : 0;
    if (*last > outputs)
        *last = outputs;
    if (*first > *last)
        *first = *last;
}

/* A row of the matrix and where it lies in the image: output (oy, ox) is pixel (oy * stride +
 * top, ox * stride + left) of its plane, and ox from `first` to `last` is inside. */
typedef struct matrix_row {
    size_t plane;
    int top, left, first, last;
} matrix_row;

static matrix_row row_at(const elm_conv_shape *s, int row)
{
    const int kernel = s->kernel;
    matrix_row r = {.plane = (size_t)(row / (kernel * kernel)) * s->in_height * s->in_width,
                    .top = row / kernel % kernel - s->padding,
                    .left = row % kernel - s->padding};
    inside(r.left, s->stride, s->in_width, s->out_width, &r.first, &r.last);
    return r;
}

static void unfold(const elm_conv_shape *s, const float *image, float *columns)
{
    for (int row = 0; row < s->in_channels * s->kernel * s->kernel; row++) {
        const matrix_row r = row_at(s, row);
        for (int oy = 0; oy < s->out_height; oy++, columns += s->out_width) {
            const int iy = oy * s->stride + r.top;
            memset(columns, 0, (size_t)s->out_width * sizeof *columns);
            if (iy < 0 || iy >= s->in_height)
                continue;
            const float *in = image + r.plane + (size_t)iy * s->in_width;
            for (int ox = r.first; ox < r.last; ox++)
                columns[ox] = in[ox * s->stride + r.left];
        }
    }
}

static void fold(const elm_conv_shape *s, const float *columns, float *image)
{
    for (int row = 0; row < s->in_channels * s->kernel * s->kernel; row++) {
        const matrix_row r = row_at(s, row);
        for (int oy = 0; oy < s->out_height; oy++, columns += s->out_width) {
            const int iy = oy * s->stride + r.top;
            if (iy < 0 || iy >= s->in_height)
                continue;
            float *in = image + r.plane + (size_t)iy * s->in_width;
            for (int ox = r.first; ox < r.last; ox++)
                in[ox * s->stride + r.left] += columns[ox];
        }
    }
}

const elm_im2col_kernels ELM_KERNEL(elm_im2col) = {.unfold = unfold, .fold = fold};
