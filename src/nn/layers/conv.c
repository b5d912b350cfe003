/* Convolution layer: hands the work to the backend. */
#include "nn/layers/conv_shape.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    elm_conv_shape shape = elm_conv_shape_of(layer);
    shape.data_gradient = layer->input->wants_gradient;
    return layer->backend->create(&layer->own, layer->engine, &shape, capacity->images, err);
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    layer->backend->forward(layer->own, pass->images, layer->input->data, layer->output->data);
}

static unsigned backward_reads(const elm_layer *layer)
{
    (void)layer;
    return ELM_READS_INPUT;
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    layer->backend->backward_weights(layer->own, pass->images, layer->input->recalled,
                                     layer->output->gradient[0], layer->weight_gradient[0]);
}

static void backward_input(elm_layer *layer, const elm_pass *pass)
{
    layer->backend->backward_data(layer->own, pass->images, layer->output->gradient[0],
                                  layer->input_gradient);
}

static void release(elm_layer *layer)
{
    layer->backend->destroy(layer->own);
}

static void weights_changed(elm_layer *layer)
{
    layer->backend->pack(layer->own, layer->weight[0]);
}

const elm_layer_kind elm_conv_layer = {
    .name = "conv",
    .prepare = prepare,
    .forward = forward,
    .backward_reads = backward_reads,
    .backward = backward,
    .backward_input = backward_input,
    .release = release,
    .weights_changed = weights_changed,
    .contributions = 1,
};
