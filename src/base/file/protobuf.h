/* Protobuf: writing messages in Protocol Buffers' wire format
 * (https://protobuf.dev/programming-guides/encoding). The field numbers are the caller's, from
 * the .proto file of whatever it writes: ONNX models, TensorBoard's events. */
#ifndef ELMPI_BASE_FILE_PROTOBUF_H
#define ELMPI_BASE_FILE_PROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/file/bytes.h"

/** Append one field to the message at the end of `bytes`. */
void elm_protobuf_int(elm_bytes *bytes, int field, int64_t value); /* int32, int64, bool, enum */
void elm_protobuf_float(elm_bytes *bytes, int field, float value);
void elm_protobuf_double(elm_bytes *bytes, int field, double value);
void elm_protobuf_bytes(elm_bytes *bytes, int field, const void *data, size_t size_bytes);
void elm_protobuf_text(elm_bytes *bytes, int field, const char *text);

/** Begins a message inside the message; what is appended until its end belongs to it. Returns
 * what elm_protobuf_end wants to know. */
size_t elm_protobuf_begin(elm_bytes *bytes, int field);
void elm_protobuf_end(elm_bytes *bytes, size_t begun);

#endif
