/* Convolution with BatchNorm folded in, a residual and ReLU: one pass over memory. Only forwards,
 * by the running statistics. */
#include <math.h>

#include "elmpi/memory.h"
#include "nn/layers/conv_shape.h"

typedef struct folded {
    void *conv;     /* the backend's */
    float *weights; /* OIHW, scaled */
    float *bias;    /* [out_channels] */
    size_t depth;   /* weights of an output channel */
} folded;

static int prepare(elm_layer *layer, const elm_capacity *capacity, elm_error *err)
{
    const elm_value *in = layer->input, *out = layer->output;
    folded *f = layer->own = elm_alloc(1, sizeof *f, err);
    if (!f)
        return -1;
    f->depth = (size_t)in->channels * layer->kernel * layer->kernel;
    f->weights = elm_alloc((size_t)out->channels * f->depth, sizeof *f->weights, err);
    f->bias = f->weights ? elm_alloc(out->channels, sizeof *f->bias, err) : NULL;
    if (!f->bias)
        return -1;
    elm_conv_shape shape = elm_conv_shape_of(layer);
    shape.folded = true;
    shape.residual = layer->residual != NULL;
    shape.relu = layer->relu;
    return layer->backend->create(&f->conv, layer->engine, &shape, capacity->images, err);
}

static void forward(elm_layer *layer, const elm_pass *pass)
{
    const folded *f = layer->own;
    layer->backend->forward_folded(f->conv, pass->images, layer->input->data, f->bias,
                                   layer->residual ? layer->residual->data : NULL,
                                   layer->output->data);
}

static void release(elm_layer *layer)
{
    folded *f = layer->own;
    if (!f)
        return;
    layer->backend->destroy(f->conv);
    elm_free(f->weights);
    elm_free(f->bias);
    elm_free(f);
}

static void weights_changed(elm_layer *layer)
{
    const folded *f = layer->own;
    const float *weight = layer->weight[0], *gamma = layer->weight[1], *beta = layer->weight[2];
    for (int c = 0; c < layer->output->channels; c++) {
        const double scale =
            (double)gamma[c] / sqrt((double)layer->running[1][c] + elm_norm_epsilon);
        f->bias[c] = (float)((double)beta[c] - (double)layer->running[0][c] * scale);
        for (size_t k = c * f->depth; k < (c + (size_t)1) * f->depth; k++)
            f->weights[k] = (float)((double)weight[k] * scale);
    }
    layer->backend->pack(f->conv, f->weights);
}

const elm_layer_kind elm_folded_conv_layer = {
    .name = "conv",
    .prepare = prepare,
    .forward = forward,
    .release = release,
    .weights_changed = weights_changed,
};
