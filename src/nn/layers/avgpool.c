/* Global average pooling: blocked planes in, plain rows [image][channels] out. */
#include "elmpi/memory.h"
#include "nn/layers/layer.h"
#include "nn/layers/pixels_kernels.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

/* Where a channel's pixels start; they are a block apart. */
static size_t channel_start(const elm_value *value, int image, int channel)
{
    return (size_t)image * elm_value_image(value) +
           (size_t)(channel / value->block) * elm_value_plane(value) +
           (size_t)(channel % value->block);
}

/* Channels last: a strip of channels at a time, since single channels are far apart. */
enum { STRIP = 16 };

static elm_pixels strip_rows(const elm_value *in, int channel)
{
    const int left = in->channels - channel;
    return (elm_pixels){(size_t)in->height * in->width, (size_t)in->channels,
                        left < STRIP ? left : STRIP};
}

static void forward_last(const elm_value *in, float *y, int images)
{
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < images; i++)
        for (int c = 0; c < in->channels; c += STRIP)
            elm_pixels_mean(elm_element(in->data, channel_start(in, i, c), in->format),
                            strip_rows(in, c), y + (size_t)i * in->channels + c, in->format);
}

static void backward_last(const elm_value *in, const float *dy, void *dx, int images)
{
    const float share = 1 / (float)(in->height * in->width);
#pragma omp parallel for collapse(2) schedule(static)
    for (int i = 0; i < images; i++)
        for (int c = 0; c < in->channels; c += STRIP) {
            const elm_pixels rows = strip_rows(in, c);
            float values[STRIP];
            for (int j = 0; j < rows.channels; j++)
                values[j] = dy[(size_t)i * in->channels + c + j] * share;
            elm_pixels_fill(elm_element(dx, channel_start(in, i, c), in->format), rows, values,
                            in->format);
        }
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input;
    const int pixels = in->height * in->width;
    float *y = layer->output->data;
    if (in->channels_last) {
        forward_last(in, y, pass->images);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int c = 0; c < in->channels; c++) {
            const size_t start = channel_start(in, i, c);
            double sum = 0;
            for (int p = 0; p < pixels; p++)
                sum += (double)elm_read(in->data, start + (size_t)p * in->block, in->format);
            y[(size_t)i * in->channels + c] = (float)(sum / pixels);
        }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input;
    const int pixels = in->height * in->width;
    const float *dy = layer->output->gradient[0];
    if (in->channels_last) {
        backward_last(in, dy, layer->input_gradient, pass->images);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int c = 0; c < in->channels; c++) {
            const size_t start = channel_start(in, i, c);
            const float share = dy[(size_t)i * in->channels + c] / (float)pixels;
            for (int p = 0; p < pixels; p++)
                elm_write(layer->input_gradient, start + (size_t)p * in->block, share, in->format);
        }
}

static void release(elm_layer *layer)
{
    (void)layer;
}

const elm_layer_kind ELM_KERNEL(elm_pool_layer) = {
    .name = "pool",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 1,
};
