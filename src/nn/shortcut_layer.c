/* He et al.'s option-A shortcut: every `stride`-th pixel, zero channels added half before and half after. The channel shift is no multiple
 * of the block, so channels are placed one by one; the maps are small. */
#include <string.h>

#include "nn/layer.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

static void release(elm_layer *layer)
{
    (void)layer;
}

/* Where a channel's pixels start in an image; they are `block` floats apart. */
static size_t channel_start(const elm_value *value, int channel)
{
    return (size_t)(channel / value->block) * elm_value_plane(value) + channel % value->block;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int before = (out->channels - in->channels) / 2, stride = layer->stride;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++) {
        float *image = out->data + i * elm_value_image(out);
        memset(image, 0, elm_value_image(out) * sizeof *image);
        for (int c = 0; c < in->channels; c++) {
            const float *x = in->data + i * elm_value_image(in) + channel_start(in, c);
            float *y = image + channel_start(out, c + before);
            for (int h = 0; h < out->height; h++)
                for (int w = 0; w < out->width; w++)
                    y[(size_t)(h * out->width + w) * out->block] = x[(size_t)(h * stride * in->width + w * stride) * in->block];
        }
    }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
    const int before = (out->channels - in->channels) / 2, stride = layer->stride;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++) {
        float *image = layer->input_gradient + i * elm_value_image(in);
        memset(image, 0, elm_value_image(in) * sizeof *image);
        for (int c = 0; c < in->channels; c++) {
            const float *dy = out->gradient[0] + i * elm_value_image(out) + channel_start(out, c + before);
            float *dx = image + channel_start(in, c);
            for (int h = 0; h < out->height; h++)
                for (int w = 0; w < out->width; w++)
                    dx[(size_t)(h * stride * in->width + w * stride) * in->block] = dy[(size_t)(h * out->width + w) * out->block];
        }
    }
}

const elm_layer_kind elm_shortcut_a_layer = {
    .name = "shortcut-a",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 1,
};
