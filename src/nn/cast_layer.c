/* Takes pictures over into the network's format. */
#include "nn/layer.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const float *x = layer->input->data;
    elm_bf16 *y = layer->output->data;
    const size_t count = (size_t)pass->images * elm_value_image(layer->input);
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++)
        y[i] = elm_bf16_from_float(x[i]);
}

/* Nobody wants the gradient of pictures. */
static void backward(elm_layer *layer, const elm_pass *pass)
{
    (void)layer, (void)pass;
}

static void release(elm_layer *layer)
{
    (void)layer;
}

const elm_layer_kind ELM_KERNEL(elm_cast_layer) = {
    .name = "cast",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
};
