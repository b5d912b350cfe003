/* Safetensors: weights as files that PyTorch and others exchange
 * (https://huggingface.co/docs/safetensors): the length of a JSON header, the header, the
 * tensors' bytes. */
#ifndef ELMPI_CHECKPOINT_SAFETENSORS_SAFETENSORS_H
#define ELMPI_CHECKPOINT_SAFETENSORS_SAFETENSORS_H

#include <stdbool.h>

#include "base/file/bytes.h"
#include "elmpi/checkpoint.h"

/** A line of a file's metadata. A list ends with key NULL. */
typedef struct elm_metadata {
    const char *key, *value;
} elm_metadata;

/** The whole file in memory: the tensors under their own names and, for each BatchNorm
 * (<name>.running_mean), <name>.num_batches_tracked as PyTorch's modules want it.
 *  Shape:  batches: steps that the running statistics have seen
 *  Owns:   the caller calls elm_bytes_free
 *  Errors: memory; metadata or a name that is no UTF-8 */
int elm_safetensors_build(const elm_tensor *tensors, int count, int64_t batches,
                          const elm_metadata *metadata, elm_bytes *file, elm_error *err);

/** Whether the file's name says that it is one, in any case of letters. */
bool elm_safetensors_is_named(const char *path);

/** Refuses a name of PyTorch's own files (.pth, .pt, ...), which hold programs, with the way to
 * make a safetensors file of one.
 *  Errors: ELM_EXIT_USAGE */
int elm_safetensors_check_other(const char *path, elm_error *err);

/** Reads weights into a checkpoint that holds nothing but tensors, called "model/<name>". F32, F16
 * and BF16 become float32; <name>.num_batches_tracked is passed over; where all names begin with
 * "module." or "_orig_mod.", as PyTorch's wrappers make them, that is left out.
 *  Owns:   the caller calls elm_checkpoint_free
 *  Errors: a file that is not there, or not in every respect as the format wants it: lengths,
 *          shapes, offsets that overlap or leave gaps, names that come twice, other types;
 *          *checkpoint is NULL then */
int elm_safetensors_read(const char *path, elm_checkpoint **checkpoint, elm_error *err);

#endif
