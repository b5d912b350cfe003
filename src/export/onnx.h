/* ONNX: a network as a graph of standard operators (https://onnx.ai). */
#ifndef ELMPI_EXPORT_ONNX_H
#define ELMPI_EXPORT_ONNX_H

#include "base/file/bytes.h"
#include "checkpoint/safetensors/safetensors.h"
#include "nn/net_layers.h"

/** The shape of one image, or of one vector: features > 0. */
typedef struct elm_onnx_input {
    int channels, height, width, features;
} elm_onnx_input;

/** The whole file in memory: opset 13, with the running statistics and whatever the network's
 * weights are now.
 *  Math:   logits of elm_net_classify; a cosine head's embeddings are divided by |x| + 1e-12
 *  Owns:   the caller calls elm_bytes_free
 *  Errors: memory */
int elm_onnx_build(elm_net *net, const elm_onnx_input *input, const char *name, const char *version,
                   const elm_metadata *metadata, elm_bytes *file, elm_error *err);

#endif
