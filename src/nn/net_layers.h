/* Net layers: what a network computes, layer by layer, for those who write it down in another
 * language. */
#ifndef ELMPI_NN_NET_LAYERS_H
#define ELMPI_NN_NET_LAYERS_H

#include <stdbool.h>

#include "elmpi/net.h"

typedef enum elm_net_layer_type {
    ELM_LAYER_CONV, /* convolution without bias */
    /* BatchNorm by its running statistics, plus the residual, then ReLU where asked */
    ELM_LAYER_NORM,
    /* every `stride`-th pixel; zero channels, half of them (rounded down) in front */
    ELM_LAYER_SHORTCUT_A,
    ELM_LAYER_MAXPOOL,
    ELM_LAYER_POOL,   /* mean over the plane, a vector */
    ELM_LAYER_LINEAR, /* weight, bias, then ReLU where asked */
} elm_net_layer_type;

/** One layer. Values are numbered; 0 is the input, and the last layer's output are the
 * embeddings. The classifier, fc.weight and fc.bias (or cosines of embeddings and class vectors
 * where there is no fc.bias), comes behind them and is no layer. */
typedef struct elm_net_layer {
    elm_net_layer_type type;
    int input, output, residual; /* values; residual -1: none */
    int channels_in, channels;   /* of input and output */
    int kernel, stride;          /* square */
    /* pixels above and left of, below and right of the image */
    int padding, padding_after;
    bool relu;                         /* ends in max(x, 0) */
    const elm_tensor *weight, *bias;   /* NULL: none. BatchNorm: gamma and beta */
    const elm_tensor *mean, *variance; /* BatchNorm's running statistics */
    double epsilon;                    /* BatchNorm's, added to the variance */
} elm_net_layer;

int elm_net_layer_count(const elm_net *net);
/** Layer `place` in the order of the forward pass.
 *  Owns:   the tensors are the network's */
elm_net_layer elm_net_layer_at(const elm_net *net, int place);

#endif
