/* Field numbers are those of onnx.proto3
 * (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3). */
#include "export/onnx.h"

#include <stdio.h>
#include <string.h>

#include "base/file/protobuf.h"
#include "export/onnx_layers.h"
#include "export/onnx_writer.h"

/* The first is the one that came with opset 13's ONNX 1.8 and is read by whatever reads that. */
enum { IR_VERSION = 7, OPSET = 13 };

/* ModelProto and GraphProto: the fields that are used here. */
enum {
    MODEL_IR = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_METADATA = 14
};
enum { GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };

static const elm_tensor *parameter(const elm_net_parameters *view, const char *name)
{
    for (int i = 0; i < view->count; i++)
        if (strcmp(view->tensors[i].name, name) == 0)
            return &view->tensors[i];
    return NULL;
}

static int put_nodes(elm_onnx_writer *w, elm_net *net, const elm_onnx_input *input, elm_error *err)
{
    const elm_net_parameters view = elm_net_view(net);
    const elm_tensor *weight = parameter(&view, "fc.weight"), *bias = parameter(&view, "fc.bias");
    char in[ELM_ONNX_NAME_BYTES] = "input";
    for (int l = 0; l < elm_net_layer_count(net); l++) {
        const elm_net_layer layer = elm_net_layer_at(net, l);
        elm_onnx_value_name(in, layer.input);
        /* a perceptron reads an image as one long vector */
        if (l == 0 && layer.type == ELM_LAYER_LINEAR && input->features == 0) {
            elm_onnx_put_simple(w, "Flatten", "input", "input_vector");
            snprintf(in, sizeof in, "input_vector");
        }
        elm_onnx_put_layer(w, &layer, in);
        elm_onnx_value_name(in, layer.output);
    }
    if (bias == NULL)
        return elm_onnx_put_cosines(w, in, weight, err);
    elm_onnx_put_gemm(w, in, weight, bias, "logits");
    return 0;
}

static int put_graph(elm_bytes *file, elm_net *net, const elm_onnx_input *input, const char *name,
                     elm_error *err)
{
    elm_onnx_writer w = {.out = file};
    const int image[] = {input->channels, input->height, input->width},
              classes = elm_net_classes(net);
    const size_t graph = elm_protobuf_begin(file, MODEL_GRAPH);
    const int status = put_nodes(&w, net, input, err);
    elm_protobuf_text(file, GRAPH_NAME, name);
    if (input->features > 0)
        elm_onnx_put_value(file, GRAPH_INPUT, "input", &input->features, 1);
    else
        elm_onnx_put_value(file, GRAPH_INPUT, "input", image, 3);
    elm_onnx_put_value(file, GRAPH_OUTPUT, "logits", &classes, 1);
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
