/* ONNX writer: nodes, attributes, constants and values of a graph. */
#ifndef ELMPI_EXPORT_ONNX_WRITER_H
#define ELMPI_EXPORT_ONNX_WRITER_H

#include "base/file/bytes.h"
#include "elmpi/tensor.h"

enum { ELM_ONNX_FLOAT = 1, ELM_ONNX_INT64 = 7 }; /* types of elements */
enum { ELM_ONNX_NAME_BYTES = 2 * ELM_NAME_SIZE };

/** The graph under way. A node is begun, given its attributes and ended; its output is what the
 * next one reads. */
typedef struct elm_onnx_writer {
    elm_bytes *out;
    size_t node;
    int serial; /* of nodes, for names */
} elm_onnx_writer;

/** What a value of the network is called: 0 is the input. */
void elm_onnx_value_name(char name[ELM_ONNX_NAME_BYTES], int value);

/** Begins a node; attributes follow. */
void elm_onnx_begin_node(elm_onnx_writer *w, const char *op_type, const char *const *inputs,
                         int input_count, const char *output);
void elm_onnx_end_node(elm_onnx_writer *w);

/** Attributes of the node that has been begun. */
void elm_onnx_put_int(elm_onnx_writer *w, const char *name, int64_t value);
void elm_onnx_put_float(elm_onnx_writer *w, const char *name, double value);
void elm_onnx_put_ints(elm_onnx_writer *w, const char *name, const int64_t *values, int count);

/** A constant of the graph; a tensor goes under its own name. */
void elm_onnx_put_constant(elm_onnx_writer *w, const char *name, int type, const int64_t *shape,
                           int dimensions, const void *data, size_t size_bytes);
void elm_onnx_put_tensor(elm_onnx_writer *w, const elm_tensor *tensor);
void elm_onnx_put_integers(elm_onnx_writer *w, const char *name, const int64_t *values,
                           int64_t count);

/** A node of one input and no attributes, or of two. */
void elm_onnx_put_simple(elm_onnx_writer *w, const char *op_type, const char *input,
                         const char *output);
void elm_onnx_put_pair(elm_onnx_writer *w, const char *op_type, const char *a, const char *b,
                       const char *output);

/** The graph's input or output (field): a float tensor of a batch of any size. */
void elm_onnx_put_value(elm_bytes *out, int field, const char *name, const int *shape,
                        int dimensions);

#endif
