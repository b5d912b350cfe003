/* ONNX layers: each layer of a network as nodes. */
#ifndef ELMPI_EXPORT_ONNX_LAYERS_H
#define ELMPI_EXPORT_ONNX_LAYERS_H

#include "elmpi/status.h"
#include "export/onnx_writer.h"
#include "nn/net_layers.h"

/** A layer that reads the value `in`. */
void elm_onnx_put_layer(elm_onnx_writer *w, const elm_net_layer *layer, const char *in);

/** y = x weight^T + bias; bias may be NULL. */
void elm_onnx_put_gemm(elm_onnx_writer *w, const char *in, const elm_tensor *weight,
                       const elm_tensor *bias, const char *out);

/** Logits of a cosine head: embeddings over their lengths, times class vectors of length 1.
 *  Errors: memory */
int elm_onnx_put_cosines(elm_onnx_writer *w, const char *embeddings, const elm_tensor *weight,
                         elm_error *err);

#endif
