/* He et al.'s option-A shortcut: every `stride`-th pixel, zero channels added half before and
 * half after. Their shift is rarely a multiple of the block, so channels are placed one by one;
 * the maps are small. Without added channels it is the first half of a 1x1 convolution with a
 * stride. */
#include <string.h>

#include "nn/layers/layer.h"

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

/* Copies every `stride`-th pixel of an image's channels between the small planes x and the
 * large y, one way or the other; the rest of the destination is 0. `run` channels, which lie
 * together in either, go at a time. */
ELM_INLINE void copy_image(const elm_layer *layer, void *x, void *y, int run, bool forward,
                           elm_format format)
{
    const elm_value *in = layer->input, *out = layer->output, *whole = forward ? out : in;
    const int before = (out->channels - in->channels) / 2, stride = layer->stride;
    const size_t size = elm_format_size(format);
    if (in->channels < out->channels || !forward)
        memset(forward ? y : x, 0, elm_value_image(whole) * size);
    for (int c = 0; c < in->channels; c += run) {
        const size_t near = channel_start(in, c), far = channel_start(out, c + before);
        for (int h = 0; h < out->height; h++)
            for (int w = 0; w < out->width; w++) {
                void *a = elm_element(
                    x, near + (size_t)(h * stride * in->width + w * stride) * in->block, format);
                void *b = elm_element(y, far + (size_t)(h * out->width + w) * out->block, format);
                memcpy(forward ? b : a, forward ? a : b, (size_t)run * size);
            }
    }
}

/* A pixel's channels where they lie together, whole blocks where the channels are not shifted
 * across them. */
ELM_INLINE void copy_runs(const elm_layer *layer, void *x, void *y, bool forward, elm_format format)
{
    const elm_value *in = layer->input, *out = layer->output;
    if (out->channels_last)
        copy_image(layer, x, y, in->channels, forward, format);
    else if (in->block == 16 && out->block == 16 && (out->channels - in->channels) / 2 % 16 == 0)
        copy_image(layer, x, y, 16, forward, format);
    else
        copy_image(layer, x, y, 1, forward, format);
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        ELM_BY_FORMAT(in->format, copy_runs, layer, elm_value_at(in, in->data, i, 0),
                      elm_value_at(out, out->data, i, 0), true);
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input, *out = layer->output;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        ELM_BY_FORMAT(in->format, copy_runs, layer, elm_value_at(in, layer->input_gradient, i, 0),
                      elm_value_at(out, out->gradient[0], i, 0), false);
}

const elm_layer_kind ELM_KERNEL(elm_shortcut_a_layer) = {
    .name = "shortcut-a",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 1,
};
