/* The header of a safetensors file as it is read: nothing in it is believed before it has been
 * checked. */
#ifndef ELMPI_CHECKPOINT_SAFETENSORS_SAFETENSORS_HEADER_H
#define ELMPI_CHECKPOINT_SAFETENSORS_SAFETENSORS_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"
#include "elmpi/tensor.h"

enum { ELM_STORED_DIMENSIONS = 8, ELM_STORED_NAME = 256 };

typedef enum elm_stored_type {
    ELM_STORED_F32,
    ELM_STORED_F16,
    ELM_STORED_BF16,
    ELM_STORED_OTHER
} elm_stored_type;

/** A tensor of the file. */
typedef struct elm_stored_tensor {
    char name[ELM_STORED_NAME];
    char type_name[16];
    elm_stored_type type;
    int dimensions;
    int64_t shape[ELM_STORED_DIMENSIONS];
    int64_t count;       /* product of the shape */
    uint64_t begin, end; /* bytes behind the header */
} elm_stored_tensor;

typedef struct elm_stored_header {
    elm_stored_tensor *tensors; /* in the order of their bytes */
    int count, capacity;
} elm_stored_header;

/** Parses and checks a header: JSON of the format's form, known types, sizes that agree with
 * shapes, bytes that cover all of [0, data_bytes) without overlap or gap, every name once.
 *  Owns:   the caller calls elm_stored_header_free, after failure too
 *  Errors: what is wrong, with `path` */
int elm_stored_header_parse(elm_stored_header *header, const unsigned char *text, size_t length,
                            uint64_t data_bytes, const char *path, elm_error *err);
void elm_stored_header_free(elm_stored_header *header);

#endif
