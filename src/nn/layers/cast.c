/* Takes images over into the network's format, and channels last where its layout is so. */
#include "nn/layers/layer.h"
#include "nn/layers/pixels_kernels.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const float *x = in->data;
    if (out->channels_last) {
#pragma omp parallel for schedule(static)
        for (int i = 0; i < pass->images; i++)
            elm_pixels_from_planes(x + i * elm_value_image(in), elm_value_at(out, out->data, i, 0),
                                   (size_t)in->height * in->width, in->channels, out->format);
        return;
    }
    elm_bf16 *y = out->data;
    const size_t count = (size_t)pass->images * elm_value_image(in);
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < count; i++)
        y[i] = elm_bf16_from_float(x[i]);
}

/* The gradient of the input is not needed. */
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
