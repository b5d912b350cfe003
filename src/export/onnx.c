/* Field numbers are those of onnx.proto3
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). */
#include "export/onnx.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file/protobuf.h"
#include "elmpi/memory.h"

enum {
    /* the one that came with opset 13's ONNX 1.8 and is read by whatever reads that */
    IR_VERSION = 7,
    OPSET = 13,
    TYPE_FLOAT = 1,
    TYPE_INT64 = 7,
    ATTRIBUTE_FLOAT = 1,
    ATTRIBUTE_INT = 2,
    ATTRIBUTE_INTS = 7,
};

/* ModelProto, GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto: the fields
 * that are used. */
enum {
    MODEL_IR = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14
};
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_INITIALIZER = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_LIST = 8,
    ATTRIBUTE_TYPE = 20
};
enum { TENSOR_DIMENSION = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_RAW = 9 };
enum {
    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_ELEMENT = 1,
    TENSOR_SHAPE = 2,
    SHAPE_DIMENSION = 1,
    DIMENSION_VALUE = 1,
    DIMENSION_NAME = 2
};

enum { NAME_BYTES = 2 * ELM_NAME_SIZE };

/* The graph under way. A node is begun, given its attributes and ended; its output is what the
 * next one reads. */
typedef struct writer {
    elm_bytes *out;
    size_t node;
    int serial; /* of nodes, for names */
} writer;

static void value_name(char name[NAME_BYTES], int value)
{
    if (value == 0)
        snprintf(name, NAME_BYTES, "input");
    else
        snprintf(name, NAME_BYTES, "value%d", value);
}

static void begin_node(writer *w, const char *operator, const char * const * inputs,
                       int input_count, const char *output)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%d", operator, w->serial++);
    w->node = elm_protobuf_begin(w->out, GRAPH_NODE);
    for (int i = 0; i < input_count; i++)
        elm_protobuf_text(w->out, NODE_INPUT, inputs[i]);
    elm_protobuf_text(w->out, NODE_OUTPUT, output);
    elm_protobuf_text(w->out, NODE_NAME, name);
    elm_protobuf_text(w->out, NODE_OPERATOR, operator);
}

static void end_node(writer *w)
{
    elm_protobuf_end(w->out, w->node);
}

static void put_int(writer *w, const char *name, int64_t value)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    elm_protobuf_int(w->out, ATTRIBUTE_I, value);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_INT);
    elm_protobuf_end(w->out, begun);
}

static void put_float(writer *w, const char *name, double value)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    elm_protobuf_float(w->out, ATTRIBUTE_F, (float)value);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_FLOAT);
    elm_protobuf_end(w->out, begun);
}

static void put_ints(writer *w, const char *name, const int64_t *values, int count)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    for (int i = 0; i < count; i++)
        elm_protobuf_int(w->out, ATTRIBUTE_LIST, values[i]);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_INTS);
    elm_protobuf_end(w->out, begun);
}

static void put_constant(writer *w, const char *name, int type, const int64_t *shape,
                         int dimensions, const void *data, size_t size_bytes)
{
    const size_t begun = elm_protobuf_begin(w->out, GRAPH_INITIALIZER);
    for (int d = 0; d < dimensions; d++)
        elm_protobuf_int(w->out, TENSOR_DIMENSION, shape[d]);
    elm_protobuf_int(w->out, TENSOR_TYPE, type);
    elm_protobuf_text(w->out, TENSOR_NAME, name);
    elm_protobuf_bytes(w->out, TENSOR_RAW, data, size_bytes);
    elm_protobuf_end(w->out, begun);
}

static void put_tensor(writer *w, const elm_tensor *tensor)
{
    put_constant(w, tensor->name, TYPE_FLOAT, tensor->shape, tensor->dimensions, tensor->data,
                 (size_t)tensor->count * sizeof(float));
}

static void put_integers(writer *w, const char *name, const int64_t *values, int64_t count)
{
    put_constant(w, name, TYPE_INT64, &count, 1, values, (size_t)count * sizeof *values);
}

/* A node of one input and no attributes. */
static void put_simple(writer *w, const char *operator, const char * input, const char *output)
{
    begin_node(w, operator, & input, 1, output);
    end_node(w);
}

/* A node of two inputs and no attributes. */
static void put_pair(writer *w, const char *operator, const char * a, const char *b,
                     const char *output)
{
    begin_node(w, operator,(const char *const[]){a, b}, 2, output);
    end_node(w);
}

static void put_window(writer *w, const elm_net_layer *layer)
{
    const int64_t kernel[] = {layer->kernel, layer->kernel},
                  strides[] = {layer->stride, layer->stride};
    const int64_t pads[] = {layer->padding, layer->padding, layer->padding_after,
                            layer->padding_after};
    put_ints(w, "kernel_shape", kernel, 2);
    put_ints(w, "strides", strides, 2);
    put_ints(w, "pads", pads, 4);
    end_node(w);
}

static void put_conv(writer *w, const elm_net_layer *layer, const char *in, const char *out)
{
    put_tensor(w, layer->weight);
    begin_node(w, "Conv", (const char *const[]){in, layer->weight->name}, 2, out);
    put_window(w, layer);
}

static void put_maxpool(writer *w, const elm_net_layer *layer, const char *in, const char *out)
{
    begin_node(w, "MaxPool", &in, 1, out);
    put_window(w, layer);
}

/* BatchNormalization [+ Add] [+ Relu]: the last of them writes `out`. */
static void put_norm(writer *w, const elm_net_layer *layer, const char *in, const char *out)
{
    const elm_tensor *tensors[] = {layer->weight, layer->bias, layer->mean, layer->variance};
    const char *inputs[5] = {in};
    char normed[NAME_BYTES + 8], sum[NAME_BYTES + 8], residual[NAME_BYTES];
    for (int t = 0; t < 4; t++) {
        put_tensor(w, tensors[t]);
        inputs[1 + t] = tensors[t]->name;
    }
    snprintf(normed, sizeof normed, layer->residual >= 0 || layer->relu ? "%s_norm" : "%s", out);
    snprintf(sum, sizeof sum, layer->relu ? "%s_sum" : "%s", out);
    begin_node(w, "BatchNormalization", inputs, 5, normed);
    put_float(w, "epsilon", layer->epsilon);
    end_node(w);
    const char *last = normed;
    if (layer->residual >= 0) {
        value_name(residual, layer->residual);
        put_pair(w, "Add", normed, residual, sum);
        last = sum;
    }
    if (layer->relu)
        put_simple(w, "Relu", last, out);
}

/* Every stride-th row and column by Slice, zero channels by Pad. */
static void put_shortcut_a(writer *w, const elm_net_layer *layer, const char *in, const char *out)
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
    char names[CONSTANTS][NAME_BYTES + 8], sliced[NAME_BYTES + 8];
    for (int c = 0; c < CONSTANTS; c++) {
        snprintf(names[c], sizeof names[c], "%s_%s", out, constants[c].suffix);
        put_integers(w, names[c], constants[c].values, constants[c].count);
    }
    snprintf(sliced, sizeof sliced, "%s_sliced", out);
    begin_node(w, "Slice", (const char *const[]){in, names[0], names[1], names[2], names[3]}, 5,
               sliced);
    end_node(w);
    put_pair(w, "Pad", sliced, names[PADS], out);
}

static void put_pool(writer *w, const elm_net_layer *layer, const char *in, const char *out)
{
    (void)layer;
    char mean[NAME_BYTES + 8];
    snprintf(mean, sizeof mean, "%s_mean", out);
    put_simple(w, "GlobalAveragePool", in, mean);
    begin_node(w, "Flatten", (const char *const[]){mean}, 1, out);
    put_int(w, "axis", 1);
    end_node(w);
}

/* y = x weight^T + bias */
static void put_gemm(writer *w, const char *in, const elm_tensor *weight, const elm_tensor *bias,
                     const char *out)
{
    put_tensor(w, weight);
    if (bias != NULL)
        put_tensor(w, bias);
    begin_node(w, "Gemm", (const char *const[]){in, weight->name, bias != NULL ? bias->name : ""},
               bias != NULL ? 3 : 2, out);
    put_int(w, "transB", 1);
    end_node(w);
}

static void put_linear(writer *w, const elm_net_layer *layer, const char *in, const char *out)
{
    char sum[NAME_BYTES + 8];
    snprintf(sum, sizeof sum, layer->relu ? "%s_sum" : "%s", out);
    put_gemm(w, in, layer->weight, layer->bias, sum);
    if (layer->relu)
        put_simple(w, "Relu", sum, out);
}

static void put_layer(writer *w, const elm_net_layer *layer, const char *in)
{
    static void (*const writers[])(writer *, const elm_net_layer *, const char *, const char *) = {
        [ELM_LAYER_CONV] = put_conv,
        [ELM_LAYER_NORM] = put_norm,
        [ELM_LAYER_SHORTCUT_A] = put_shortcut_a,
        [ELM_LAYER_MAXPOOL] = put_maxpool,
        [ELM_LAYER_POOL] = put_pool,
        [ELM_LAYER_LINEAR] = put_linear,
    };
    char out[NAME_BYTES];
    value_name(out, layer->output);
    writers[layer->type](w, layer, in, out);
}

/* x / (|x| + 1e-12), the sum and the widening as products with ones: OpenCV's importer (4.6)
 * knows LpNormalization not at all, and ReduceL2 and a division of different shapes not for
 * batches of any size. The 1e-12 is lost beside any length but 0, which stays 0. */
static int put_direction(writer *w, const char *vector, int64_t width, elm_error *err)
{
    const float smallest = 1e-12f;
    float *ones = elm_alloc((size_t)width, sizeof *ones, err);
    if (ones == NULL)
        return -1;
    for (int64_t k = 0; k < width; k++)
        ones[k] = 1;
    put_constant(w, "ones_column", TYPE_FLOAT, (const int64_t[]){width, 1}, 2, ones,
                 (size_t)width * sizeof *ones);
    put_constant(w, "ones_row", TYPE_FLOAT, (const int64_t[]){1, width}, 2, ones,
                 (size_t)width * sizeof *ones);
    put_constant(w, "smallest_length", TYPE_FLOAT, NULL, 0, &smallest, sizeof smallest);
    elm_free(ones);
    put_pair(w, "Mul", vector, vector, "squares");
    put_pair(w, "MatMul", "squares", "ones_column", "squared_length");
    put_simple(w, "Sqrt", "squared_length", "length");
    put_pair(w, "Add", "length", "smallest_length", "divisor");
    put_pair(w, "MatMul", "divisor", "ones_row", "divisors");
    put_pair(w, "Div", vector, "divisors", "direction");
    return 0;
}

/* Class vectors are scaled to length 1 here, so that only the embeddings are left to be divided
 * by theirs. */
static int put_cosines(writer *w, const char *embeddings, const elm_tensor *weight, elm_error *err)
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
        put_gemm(w, "direction", &unit, NULL, "logits");
    elm_free(unit.data);
    return status;
}

static const elm_tensor *parameter(const elm_net_parameters *view, const char *name)
{
    for (int i = 0; i < view->count; i++)
        if (strcmp(view->tensors[i].name, name) == 0)
            return &view->tensors[i];
    return NULL;
}

/* A float tensor of a batch of any size. */
static void put_value(elm_bytes *out, int field, const char *name, const int *shape, int dimensions)
{
    const size_t value = elm_protobuf_begin(out, field);
    elm_protobuf_text(out, VALUE_NAME, name);
    const size_t type = elm_protobuf_begin(out, VALUE_TYPE),
                 tensor = elm_protobuf_begin(out, TYPE_TENSOR);
    elm_protobuf_int(out, TENSOR_ELEMENT, TYPE_FLOAT);
    const size_t sizes = elm_protobuf_begin(out, TENSOR_SHAPE);
    size_t dimension = elm_protobuf_begin(out, SHAPE_DIMENSION);
    elm_protobuf_text(out, DIMENSION_NAME, "batch");
    elm_protobuf_end(out, dimension);
    for (int d = 0; d < dimensions; d++) {
        dimension = elm_protobuf_begin(out, SHAPE_DIMENSION);
        elm_protobuf_int(out, DIMENSION_VALUE, shape[d]);
        elm_protobuf_end(out, dimension);
    }
    elm_protobuf_end(out, sizes);
    elm_protobuf_end(out, tensor);
    elm_protobuf_end(out, type);
    elm_protobuf_end(out, value);
}

static int put_nodes(writer *w, elm_net *net, const elm_onnx_input *input, elm_error *err)
{
    const elm_net_parameters view = elm_net_view(net);
    const elm_tensor *weight = parameter(&view, "fc.weight"), *bias = parameter(&view, "fc.bias");
    char in[NAME_BYTES] = "input";
    for (int l = 0; l < elm_net_layer_count(net); l++) {
        const elm_net_layer layer = elm_net_layer_at(net, l);
        value_name(in, layer.input);
        /* a perceptron reads a picture as one long vector */
        if (l == 0 && layer.type == ELM_LAYER_LINEAR && input->features == 0) {
            put_simple(w, "Flatten", "input", "input_vector");
            snprintf(in, sizeof in, "input_vector");
        }
        put_layer(w, &layer, in);
        value_name(in, layer.output);
    }
    if (bias == NULL)
        return put_cosines(w, in, weight, err);
    put_gemm(w, in, weight, bias, "logits");
    return 0;
}

static int put_graph(elm_bytes *file, elm_net *net, const elm_onnx_input *input, const char *name,
                     elm_error *err)
{
    writer w = {.out = file};
    const int picture[] = {input->channels, input->height, input->width},
              classes = elm_net_classes(net);
    const size_t graph = elm_protobuf_begin(file, MODEL_GRAPH);
    const int status = put_nodes(&w, net, input, err);
    elm_protobuf_text(file, GRAPH_NAME, name);
    if (input->features > 0)
        put_value(file, GRAPH_INPUT, "input", &input->features, 1);
    else
        put_value(file, GRAPH_INPUT, "input", picture, 3);
    put_value(file, GRAPH_OUTPUT, "logits", &classes, 1);
    elm_protobuf_end(file, graph);
    return status;
}

static void put_metadata(elm_bytes *file, const elm_metadata *metadata)
{
    for (const elm_metadata *m = metadata; m->key != NULL; m++) {
        const size_t entry = elm_protobuf_begin(file, MODEL_METADATA);
        elm_protobuf_text(file, 1, m->key);
        elm_protobuf_text(file, 2, m->value);
        elm_protobuf_end(file, entry);
    }
}

int elm_onnx_build(elm_net *net, const elm_onnx_input *input, const char *name, const char *version,
                   const elm_metadata *metadata, elm_bytes *file, elm_error *err)
{
    elm_protobuf_int(file, MODEL_IR, IR_VERSION);
    elm_protobuf_text(file, MODEL_PRODUCER, "elmpi");
    elm_protobuf_text(file, MODEL_PRODUCER_VERSION, version);
    if (put_graph(file, net, input, name, err) != 0)
        return -1;
    const size_t opset = elm_protobuf_begin(file, MODEL_OPSET);
    elm_protobuf_text(file, 1, "");
    elm_protobuf_int(file, 2, OPSET);
    elm_protobuf_end(file, opset);
    put_metadata(file, metadata);
    if (file->size > INT32_MAX)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "the network is too large for one ONNX file, which ends at 2 GiB: export safetensors");
    return file->failed
               ? elm_error_set(err, ELM_EXIT_FAILURE,
                               "out of memory (weights of an ONNX file): use a machine with more")
               : 0;
}
