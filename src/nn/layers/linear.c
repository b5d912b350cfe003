/* Fully connected layer with bias [and ReLU] on vectors: the multilayer perceptrons. */
#include "nn/layers/layer.h"
#include "nn/layers/linear_gemm.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

static void release(elm_layer *layer)
{
    (void)layer;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const int in = layer->input->channels, out = layer->output->channels;
    float *y = layer->output->data;
    elm_linear_forward(layer->input->data, layer->weight[0], layer->weight[1], y, pass->images, in,
                       out);
    for (size_t k = 0; layer->relu && k < (size_t)pass->images * out; k++)
        y[k] = y[k] <= 0 ? 0 : y[k]; /* NaN stays NaN */
}

static unsigned backward_reads(const elm_layer *layer)
{
    return ELM_READS_INPUT | (layer->relu ? ELM_READS_OUTPUT : 0u);
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const int in = layer->input->channels, out = layer->output->channels;
    float *dy = layer->output->gradient[0];
    const float *y = layer->output->recalled;
    for (size_t k = 0; layer->relu && k < (size_t)pass->images * out; k++)
        dy[k] = y[k] <= 0 ? 0 : dy[k];
    elm_linear_weight_gradients(layer->input->recalled, dy, layer->weight_gradient[0],
                                layer->weight_gradient[1], pass->images, in, out);
    if (layer->input_gradient)
        elm_linear_data_gradient(dy, layer->weight[0], layer->input_gradient, pass->images, in, out,
                                 0);
}

const elm_layer_kind ELM_KERNEL(elm_linear_layer) = {
    .name = "linear",
    .prepare = prepare,
    .forward = forward,
    .backward_reads = backward_reads,
    .backward = backward,
    .release = release,
    .contributions = 1,
};
