/* The pieces of images that BatchNorm works on: a channel block, or, channels last, some of the
 * pixels (a slab: their number follows from the shape alone, so that sums do not depend on threads)
 * and, where there are more threads than slabs, some of the channels. For batchnorm.c alone. */
#ifndef ELMPI_NN_LAYERS_BATCHNORM_PIECES_H
#define ELMPI_NN_LAYERS_BATCHNORM_PIECES_H

#include "elmpi/partition.h"
#include "nn/layers/layer.h"
#include "nn/layers/pixels_kernels.h"

typedef struct norm {
    int channels;
    int slabs, strips; /* of an image: pieces of its pixels, of its channels */
    int strip;         /* channels of a strip; the last may have fewer */
    bool rows;         /* channels last, and not a divisor of 16 */
    /* [images][slabs][channels] mean and m2 forward; sum and product backward */
    float *image[2];
    elm_moments *moments;  /* [segments][channels] of the whole group */
    elm_moments *shared;   /* [shared][channels] */
    double *sums;          /* [segments][2][channels] */
    double *shared_sums;   /* [shared][2][channels] */
    float *mean, *inverse; /* [segments][channels] */
    float *scale, *shift;  /* [segments][channels] forward; a and b of the gradient backward */
    float *constant;       /* [segments][channels] c of the gradient */
    int *segment;          /* [images] which segment an image is in */
} norm;

static inline int64_t slab_begin(const norm *n, const elm_value *in, int slab)
{
    return elm_partition_begin((int64_t)in->height * in->width, n->slabs, slab);
}

/* A piece of an image that one thread passes over. */
typedef struct piece {
    size_t start;   /* its first number in an array of the value's shape */
    size_t sums;    /* its first channel in n->image */
    size_t channel; /* its first channel in arrays of [segments][channels] */
    size_t length;  /* numbers, where they are contiguous */
    elm_pixels rows;
} piece;

static inline piece piece_at(const norm *n, const elm_value *v, int image, int slab, int strip)
{
    const int64_t first = slab_begin(n, v, slab), pixels = slab_begin(n, v, slab + 1) - first;
    const int channel = strip * n->strip, left = n->channels - channel;
    const size_t within =
        v->channels_last ? (size_t)first * n->channels + channel : strip * elm_value_plane(v);
    return (piece){
        .start = (size_t)image * elm_value_image(v) + within,
        .sums = ((size_t)image * n->slabs + slab) * n->channels + channel,
        .channel = (size_t)n->segment[image] * n->channels + channel,
        .length = (size_t)pixels * v->block,
        .rows = {(size_t)pixels, (size_t)n->channels, left < n->strip ? left : n->strip}};
}

/* Runs the statement that follows for every piece of the pass's images, as `i`, `slab` and
 * `strip`. */
#define FOR_PIECES(n, images)                                                                      \
    _Pragma(                                                                                       \
        "omp parallel for collapse(3) schedule(static)") for (int i = 0; i < (images);             \
                                                              i++) for (int slab = 0;              \
                                                                        slab < (n)->slabs;         \
                                                                        slab++) for (int strip =   \
                                                                                         0;        \
                                                                                     strip <       \
                                                                                     (n)->strips;  \
                                                                                     strip++)

#endif
