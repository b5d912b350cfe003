/* Global average pooling: blocked planes in, plain rows [image][channels] out. */
#include "elmpi/memory.h"
#include "nn/layer.h"

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    (void)layer, (void)capacity, (void)err;
    return 0;
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input;
    const int block = in->block, pixels = in->height * in->width;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int c = 0; c < in->channels; c++) {
            const float *x = in->data + i * elm_value_image(in) + (size_t)(c / block) * elm_value_plane(in) + c % block;
            double sum = 0;
            for (int p = 0; p < pixels; p++)
                sum += (double)x[(size_t)p * block];
            layer->output->data[(size_t)i * in->channels + c] = (float)(sum / pixels);
        }
}

static void backward(elm_layer *layer, const elm_pass *pass)
{
    const elm_value *in = layer->input;
    const int block = in->block, pixels = in->height * in->width;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < pass->images; i++)
        for (int c = 0; c < in->channels; c++) {
            float *dx = layer->input_gradient + i * elm_value_image(in) + (size_t)(c / block) * elm_value_plane(in) + c % block;
            const float share = layer->output->gradient[0][(size_t)i * in->channels + c] / (float)pixels;
            for (int p = 0; p < pixels; p++)
                dx[(size_t)p * block] = share;
        }
}

static void release(elm_layer *layer)
{
    (void)layer;
}

const elm_layer_kind elm_pool_layer = {
    .name = "pool",
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
    .release = release,
    .contributions = 1,
};
