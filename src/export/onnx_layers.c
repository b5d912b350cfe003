#include "export/onnx_layers.h"

#include <math.h>
#include <stdio.h>

#include "elmpi/memory.h"

static void put_window(elm_onnx_writer *w, const elm_net_layer *layer)
{
    const int64_t kernel[] = {layer->kernel, layer->kernel},
                  strides[] = {layer->stride, layer->stride};
    const int64_t pads[] = {layer->padding, layer->padding, layer->padding_after,
                            layer->padding_after};
    elm_onnx_put_ints(w, "kernel_shape", kernel, 2);
    elm_onnx_put_ints(w, "strides", strides, 2);
    elm_onnx_put_ints(w, "pads", pads, 4);
    elm_onnx_end_node(w);
}

static void put_conv(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                     const char *out)
{
    elm_onnx_put_tensor(w, layer->weight);
    elm_onnx_begin_node(w, "Conv", (const char *const[]){in, layer->weight->name}, 2, out);
    put_window(w, layer);
}

static void put_maxpool(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                        const char *out)
{
    elm_onnx_begin_node(w, "MaxPool", &in, 1, out);
    put_window(w, layer);
}

/* BatchNormalization [+ Add] [+ Relu]: the last of them writes `out`. */
static void put_norm(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                     const char *out)
{
    const elm_tensor *tensors[] = {layer->weight, layer->bias, layer->mean, layer->variance};
    const char *inputs[5] = {in};
    char normed[ELM_ONNX_NAME_BYTES + 8], sum[ELM_ONNX_NAME_BYTES + 8],
        residual[ELM_ONNX_NAME_BYTES];
    for (int t = 0; t < 4; t++) {
        elm_onnx_put_tensor(w, tensors[t]);
        inputs[1 + t] = tensors[t]->name;
    }
    snprintf(normed, sizeof normed, layer->residual >= 0 || layer->relu ? "%s_norm" : "%s", out);
    snprintf(sum, sizeof sum, layer->relu ? "%s_sum" : "%s", out);
    elm_onnx_begin_node(w, "BatchNormalization", inputs, 5, normed);
    elm_onnx_put_float(w, "epsilon", layer->epsilon);
    elm_onnx_end_node(w);
    const char *last = normed;
    if (layer->residual >= 0) {
        elm_onnx_value_name(residual, layer->residual);
        elm_onnx_put_pair(w, "Add", normed, residual, sum);
        last = sum;
    }
    if (layer->relu)
        elm_onnx_put_simple(w, "Relu", last, out);
}

/* Every stride-th row and column by Slice, zero channels by Pad. */
static void put_shortcut_a(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                           const char *out)
{
    const int64_t before = (layer->channels - layer->channels_in) / 2,
                  after = layer->channels - layer->channels_in - before;
    const struct {
        const char *suffix;
        int64_t values[8], count;
    } constants[] = {
        {"starts", {0, 0}, 2},
        {"ends", {INT32_MAX, INT32_MAX}, 2},
        {"axes", {2, 3}, 2},
        {"steps", {layer->stride, layer->stride}, 2},
        {"pads", {0, before, 0, 0, 0, after, 0, 0}, 8},
    };
    enum { PADS = 4, CONSTANTS };
    char names[CONSTANTS][ELM_ONNX_NAME_BYTES + 8], sliced[ELM_ONNX_NAME_BYTES + 8];
    for (int c = 0; c < CONSTANTS; c++) {
        snprintf(names[c], sizeof names[c], "%s_%s", out, constants[c].suffix);
        elm_onnx_put_integers(w, names[c], constants[c].values, constants[c].count);
    }
    snprintf(sliced, sizeof sliced, "%s_sliced", out);
    elm_onnx_begin_node(
        w, "Slice", (const char *const[]){in, names[0], names[1], names[2], names[3]}, 5, sliced);
    elm_onnx_end_node(w);
    elm_onnx_put_pair(w, "Pad", sliced, names[PADS], out);
}

static void put_pool(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                     const char *out)
{
    (void)layer;
    char mean[ELM_ONNX_NAME_BYTES + 8];
    snprintf(mean, sizeof mean, "%s_mean", out);
    elm_onnx_put_simple(w, "GlobalAveragePool", in, mean);
    elm_onnx_begin_node(w, "Flatten", (const char *const[]){mean}, 1, out);
    elm_onnx_put_int(w, "axis", 1);
    elm_onnx_end_node(w);
}

/* y = x weight^T + bias */
void elm_onnx_put_gemm(elm_onnx_writer *w, const char *in, const elm_tensor *weight,
                       const elm_tensor *bias, const char *out)
{
    elm_onnx_put_tensor(w, weight);
    if (bias != NULL)
        elm_onnx_put_tensor(w, bias);
    elm_onnx_begin_node(w, "Gemm",
                        (const char *const[]){in, weight->name, bias != NULL ? bias->name : ""},
                        bias != NULL ? 3 : 2, out);
    elm_onnx_put_int(w, "transB", 1);
    elm_onnx_end_node(w);
}

static void put_linear(elm_onnx_writer *w, const elm_net_layer *layer, const char *in,
                       const char *out)
{
    char sum[ELM_ONNX_NAME_BYTES + 8];
    snprintf(sum, sizeof sum, layer->relu ? "%s_sum" : "%s", out);
    elm_onnx_put_gemm(w, in, layer->weight, layer->bias, sum);
    if (layer->relu)
        elm_onnx_put_simple(w, "Relu", sum, out);
}

void elm_onnx_put_layer(elm_onnx_writer *w, const elm_net_layer *layer, const char *in)
{
    static void (*const writers[])(elm_onnx_writer *, const elm_net_layer *, const char *,
                                   const char *) = {
        [ELM_LAYER_CONV] = put_conv,
        [ELM_LAYER_NORM] = put_norm,
        [ELM_LAYER_SHORTCUT_A] = put_shortcut_a,
        [ELM_LAYER_MAXPOOL] = put_maxpool,
        [ELM_LAYER_POOL] = put_pool,
        [ELM_LAYER_LINEAR] = put_linear,
    };
    char out[ELM_ONNX_NAME_BYTES];
    elm_onnx_value_name(out, layer->output);
    writers[layer->type](w, layer, in, out);
}

/* x / (|x| + 1e-12), the sum and the widening as products with ones: OpenCV's importer (4.6)
 * knows LpNormalization not at all, and ReduceL2 and a division of different shapes not for
 * batches of any size. The 1e-12 is lost beside any length but 0, which stays 0. */
static int put_direction(elm_onnx_writer *w, const char *vector, int64_t width, elm_error *err)
{
    const float smallest = 1e-12f;
    float *ones = elm_alloc((size_t)width, sizeof *ones, err);
    if (ones == NULL)
        return -1;
    for (int64_t k = 0; k < width; k++)
        ones[k] = 1;
    elm_onnx_put_constant(w, "ones_column", ELM_ONNX_FLOAT, (const int64_t[]){width, 1}, 2, ones,
                          (size_t)width * sizeof *ones);
    elm_onnx_put_constant(w, "ones_row", ELM_ONNX_FLOAT, (const int64_t[]){1, width}, 2, ones,
                          (size_t)width * sizeof *ones);
    elm_onnx_put_constant(w, "smallest_length", ELM_ONNX_FLOAT, NULL, 0, &smallest,
                          sizeof smallest);
    elm_free(ones);
    elm_onnx_put_pair(w, "Mul", vector, vector, "squares");
    elm_onnx_put_pair(w, "MatMul", "squares", "ones_column", "squared_length");
    elm_onnx_put_simple(w, "Sqrt", "squared_length", "length");
    elm_onnx_put_pair(w, "Add", "length", "smallest_length", "divisor");
    elm_onnx_put_pair(w, "MatMul", "divisor", "ones_row", "divisors");
    elm_onnx_put_pair(w, "Div", vector, "divisors", "direction");
    return 0;
}

/* Class vectors are scaled to length 1 here, so that only the embeddings are left to be divided
 * by theirs. */
int elm_onnx_put_cosines(elm_onnx_writer *w, const char *embeddings, const elm_tensor *weight,
                         elm_error *err)
{
    elm_tensor unit = *weight;
    const int64_t width = weight->shape[1];
    /* as src/nn/layers/cosine.h: a shorter vector has no direction */
    const double smallest = 1e-12;
    unit.data = elm_alloc((size_t)weight->count, sizeof *unit.data, err);
    if (unit.data == NULL)
        return -1;
    for (int64_t c = 0; c < weight->shape[0]; c++) {
        double square = 0;
        for (int64_t k = 0; k < width; k++)
            square += (double)weight->data[c * width + k] * weight->data[c * width + k];
        const double length = sqrt(square);
        for (int64_t k = 0; k < width && length > smallest; k++)
            unit.data[c * width + k] = (float)(weight->data[c * width + k] / length);
    }
    const int status = put_direction(w, embeddings, width, err);
    if (status == 0)
        elm_onnx_put_gemm(w, "direction", &unit, NULL, "logits");
    elm_free(unit.data);
    return status;
}
