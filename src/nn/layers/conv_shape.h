/* Conv shape: what a convolution layer asks its backend for. */
#ifndef ELMPI_NN_LAYERS_CONV_SHAPE_H
#define ELMPI_NN_LAYERS_CONV_SHAPE_H

#include "nn/layers/layer.h"

/** Shape, layout and format of the layer's values; what else the caller needs is set afterwards. */
static inline elm_conv_shape elm_conv_shape_of(const elm_layer *layer)
{
    const elm_value *in = layer->input, *out = layer->output;
    return (elm_conv_shape){
        .in_channels = in->channels,
        .in_height = in->height,
        .in_width = in->width,
        .in_block = in->block,
        .out_channels = out->channels,
        .out_height = out->height,
        .out_width = out->width,
        .out_block = out->block,
        .kernel = layer->kernel,
        .stride = layer->stride,
        .padding = layer->padding,
        .channels_last = out->channels_last,
        .format = in->format,
    };
}

#endif
