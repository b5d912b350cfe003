/* Tensor: a named view of floats in a block that it does not own. */
#ifndef ELMPI_TENSOR_H
#define ELMPI_TENSOR_H

#include <stdint.h>

enum { ELM_NAME_SIZE = 96, ELM_RANK_MAX = 4 };

typedef struct elm_tensor {
    char name[ELM_NAME_SIZE]; /* torchvision's: "layer1.0.conv1.weight" */
    int dimensions;
    int64_t shape[ELM_RANK_MAX];
    int64_t count;  /* product of the shape */
    int64_t offset; /* floats from the start of its block */
    float *data;    /* borrowed */
} elm_tensor;

/** Name of the first of these tensors that holds a NaN or an infinite value, borrowed from it;
 * NULL: none does.
 *  Ranks:  local */
const char *elm_tensors_not_finite(const elm_tensor *tensors, int count);

#endif
