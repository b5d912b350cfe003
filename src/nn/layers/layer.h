/* Layers and values: what a network is made of inside the nn module.
 *
 * A value is an activation in blocked layout [image][channel / block][h][w][block]: block 1 is
 * NCHW, block 16 is what oneDNN's AVX-512 kernels read, and a block of all channels is channels
 * last, [image][h][w][channel], which AMX reads. A layer has one input, perhaps a residual, and
 * one output. In the backward pass every consumer of a value writes one gradient contribution,
 * and the producer reads their sum, so that no pass over memory is spent on adding. */
#ifndef ELMPI_NN_LAYERS_LAYER_H
#define ELMPI_NN_LAYERS_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu/kernels.h"
#include "elmpi/net.h"
#include "elmpi/timeline.h"
#include "nn/backends/backend.h"
#include "nn/format.h"

enum { ELM_CONTRIBUTIONS_MAX = 2 };

typedef struct elm_value {
    int channels, height, width, block;
    /* the block is all channels because the network's layout is so */
    bool channels_last;
    elm_format format; /* of all that follows */
    void *data;        /* [max_images] in the forward pass */
    /* the same numbers in the backward pass: data, or where they are rebuilt; NULL: not read */
    void *recalled;
    /* [max_images] each, written by the consumers in backward order */
    void *gradient[ELM_CONTRIBUTIONS_MAX];
    int contributions;
    bool wants_gradient; /* false for the images themselves */
} elm_value;

/** Pixels of a plane times its block: a plane is what one image's channel block occupies,
 * contiguous. */
static inline size_t elm_value_plane(const elm_value *value)
{
    return (size_t)value->height * value->width * value->block;
}

static inline size_t elm_value_image(const elm_value *value)
{
    return (size_t)value->height * value->width * value->channels;
}

/** Where channel block `plane` of image `image` begins, in an array that has the value's shape
 * and format; NULL stays NULL. */
static inline void *elm_value_at(const elm_value *value, const void *array, int image, int plane)
{
    return elm_element(
        array, (size_t)image * elm_value_image(value) + (size_t)plane * elm_value_plane(value),
        value->format);
}

/** Images [first, first + images) of the local batch that one BatchNorm group normalizes
 * together. */
typedef struct elm_segment {
    int first, images;
    int shared; /* place among the groups that span ranks, or -1 */
} elm_segment;

/** One pass over the network. */
typedef struct elm_pass {
    const float *input; /* NCHW images or feature vectors */
    int images;
    bool training;
    const elm_segment *segments;
    int segment_count;
    int shared_count; /* groups that span ranks: the same number on all ranks */
    elm_partition share;
    const elm_reducer *reducer;
} elm_pass;

/** The most a pass will hold. */
typedef struct elm_capacity {
    int images, segments, shared;
} elm_capacity;

typedef struct elm_layer elm_layer;

enum { ELM_READS_INPUT = 1, ELM_READS_OUTPUT = 2 };

/** How often a layer reads or writes an array of its output's size; a residual adds one to each.
 * 0: unknown. */
typedef struct elm_passes {
    int forward, rebuild, backward;
} elm_passes;

/** What a kind of layer can do. */
typedef struct elm_layer_kind {
    const char *name;
    /* Work space; parameters and values are in place. */
    int (*prepare)(elm_layer *layer, const elm_capacity *capacity, elm_error *err);
    void (*forward)(elm_layer *layer, const elm_pass *pass);
    /* Computes output->recalled again from input->recalled and residual->recalled, to the last
     * bit. NULL: the output has to be kept. */
    void (*rebuild)(elm_layer *layer, const elm_pass *pass);
    /* Which of its values backward reads as `recalled`. NULL: none. */
    unsigned (*backward_reads)(const elm_layer *layer);
    /* Reads output->gradient, sets the parameters' gradients, writes its inputs' contributions. */
    void (*backward)(elm_layer *layer, const elm_pass *pass);
    /* The input's contribution, where it can wait until the parameters' gradients have set out;
     * NULL: backward writes it. */
    void (*backward_input)(elm_layer *layer, const elm_pass *pass);
    void (*release)(elm_layer *layer);
    /* Weights changed: repack. May be NULL. */
    void (*weights_changed)(elm_layer *layer);
    /* Backward works in the output's gradient buffers: the first becomes the residual's
     * contribution, the next the input's. */
    bool in_place_gradient;
    /* of its output's gradient that backward can add up: the most consumers an output may have */
    int contributions;
    bool collective;   /* every rank must call it, with or without images */
    elm_passes passes; /* over memory, for benchmarks */
} elm_layer_kind;

enum { ELM_LAYER_PARAMETERS = 3 }; /* of a folded convolution; others have two at most */

struct elm_layer {
    const elm_layer_kind *kind;
    elm_value *input, *residual, *output;
    bool relu; /* norm, linear: ends in max(x, 0) */
    /* conv, maxpool: pixels before and after, in height and width */
    int kernel, stride, padding, padding_after;
    const elm_backend *backend; /* conv */
    void *engine;               /* conv: the backend's */
    /* conv, linear: of the forward pass an image; either gradient takes as many */
    double flops;
    /* where backward writes the input's contribution; NULL: not wanted */
    void *input_gradient;
    int parameter[ELM_LAYER_PARAMETERS], parameter_count; /* places in the net's lists */
    int state[2], state_count;
    /* views */
    float *weight[ELM_LAYER_PARAMETERS], *weight_gradient[ELM_LAYER_PARAMETERS], *running[2];
    void *own;
};

static const double elm_norm_epsilon = 1e-5; /* added to a variance before its root is taken */

/* Layers with loops of their own are compiled for each instruction set, whole: elm_norm_layer()
 * is the chosen set's. */
ELM_KERNELS(elm_layer_kind, elm_cast_layer); /* images to the network's format */
ELM_KERNELS(elm_layer_kind, elm_norm_layer); /* BatchNorm [+ residual] [ReLU], fused */
/* He et al.'s option A: every second pixel, zero channels half before, half after */
ELM_KERNELS(elm_layer_kind, elm_shortcut_a_layer);
ELM_KERNELS(elm_layer_kind, elm_maxpool_layer); /* largest of each window */
ELM_KERNELS(elm_layer_kind, elm_pool_layer);    /* mean over the plane -> [image][channels] */
ELM_KERNELS(elm_layer_kind, elm_linear_layer);  /* fully connected [+ ReLU] on vectors */
extern const elm_layer_kind elm_conv_layer;     /* convolution without bias: the backend's */
/* the same with BatchNorm [+ residual] [ReLU] folded in; parameters: weight, gamma, beta */
extern const elm_layer_kind elm_folded_conv_layer;

#endif
