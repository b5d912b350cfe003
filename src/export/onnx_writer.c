/* Field numbers are those of onnx.proto3
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). */
#include "export/onnx_writer.h"

#include <stdio.h>

#include "base/file/protobuf.h"

/* GraphProto, NodeProto, AttributeProto, TensorProto, ValueInfoProto: the fields that are used
 * here. */
enum { GRAPH_NODE = 1, GRAPH_INITIALIZER = 5 };
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OPERATOR = 4, NODE_ATTRIBUTE = 5 };
enum {
    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_F = 2,
    ATTRIBUTE_I = 3,
    ATTRIBUTE_LIST = 8,
    ATTRIBUTE_TYPE = 20
};
enum { ATTRIBUTE_FLOAT = 1, ATTRIBUTE_INT = 2, ATTRIBUTE_INTS = 7 }; /* values of the type */
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

void elm_onnx_value_name(char name[ELM_ONNX_NAME_BYTES], int value)
{
    if (value == 0)
        snprintf(name, ELM_ONNX_NAME_BYTES, "input");
    else
        snprintf(name, ELM_ONNX_NAME_BYTES, "value%d", value);
}

void elm_onnx_begin_node(elm_onnx_writer *w, const char *op_type, const char *const *inputs,
                         int input_count, const char *output)
{
    char name[64];
    snprintf(name, sizeof name, "%s_%d", op_type, w->serial++);
    w->node = elm_protobuf_begin(w->out, GRAPH_NODE);
    for (int i = 0; i < input_count; i++)
        elm_protobuf_text(w->out, NODE_INPUT, inputs[i]);
    elm_protobuf_text(w->out, NODE_OUTPUT, output);
    elm_protobuf_text(w->out, NODE_NAME, name);
    elm_protobuf_text(w->out, NODE_OPERATOR, op_type);
}

void elm_onnx_end_node(elm_onnx_writer *w)
{
    elm_protobuf_end(w->out, w->node);
}

void elm_onnx_put_int(elm_onnx_writer *w, const char *name, int64_t value)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    elm_protobuf_int(w->out, ATTRIBUTE_I, value);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_INT);
    elm_protobuf_end(w->out, begun);
}

void elm_onnx_put_float(elm_onnx_writer *w, const char *name, double value)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    elm_protobuf_float(w->out, ATTRIBUTE_F, (float)value);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_FLOAT);
    elm_protobuf_end(w->out, begun);
}

void elm_onnx_put_ints(elm_onnx_writer *w, const char *name, const int64_t *values, int count)
{
    const size_t begun = elm_protobuf_begin(w->out, NODE_ATTRIBUTE);
    elm_protobuf_text(w->out, ATTRIBUTE_NAME, name);
    for (int i = 0; i < count; i++)
        elm_protobuf_int(w->out, ATTRIBUTE_LIST, values[i]);
    elm_protobuf_int(w->out, ATTRIBUTE_TYPE, ATTRIBUTE_INTS);
    elm_protobuf_end(w->out, begun);
}

void elm_onnx_put_constant(elm_onnx_writer *w, const char *name, int type, const int64_t *shape,
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

void elm_onnx_put_tensor(elm_onnx_writer *w, const elm_tensor *tensor)
{
    elm_onnx_put_constant(w, tensor->name, ELM_ONNX_FLOAT, tensor->shape, tensor->dimensions,
                          tensor->data, (size_t)tensor->count * sizeof(float));
}

void elm_onnx_put_integers(elm_onnx_writer *w, const char *name, const int64_t *values,
                           int64_t count)
{
    elm_onnx_put_constant(w, name, ELM_ONNX_INT64, &count, 1, values,
                          (size_t)count * sizeof *values);
}

void elm_onnx_put_simple(elm_onnx_writer *w, const char *op_type, const char *input,
                         const char *output)
{
    elm_onnx_begin_node(w, op_type, &input, 1, output);
    elm_onnx_end_node(w);
}

void elm_onnx_put_pair(elm_onnx_writer *w, const char *op_type, const char *a, const char *b,
                       const char *output)
{
    elm_onnx_begin_node(w, op_type, (const char *const[]){a, b}, 2, output);
    elm_onnx_end_node(w);
}

void elm_onnx_put_value(elm_bytes *out, int field, const char *name, const int *shape,
                        int dimensions)
{
    const size_t value = elm_protobuf_begin(out, field);
    elm_protobuf_text(out, VALUE_NAME, name);
    const size_t type = elm_protobuf_begin(out, VALUE_TYPE),
                 tensor = elm_protobuf_begin(out, TYPE_TENSOR);
    elm_protobuf_int(out, TENSOR_ELEMENT, ELM_ONNX_FLOAT);
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
