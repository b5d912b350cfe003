/* Format: what writer and reader of checkpoints agree on. */
#ifndef ELMPI_CHECKPOINT_FORMAT_H
#define ELMPI_CHECKPOINT_FORMAT_H

#include <hdf5.h>

#include "elmpi/checkpoint.h"

#define ELM_CHECKPOINT_FORMAT "elmpi-checkpoint"
enum { ELM_CHECKPOINT_VERSION = 1 };

/** Groups that tensors live in. */
enum { ELM_TENSOR_GROUPS = 3 };
static const char *const elm_tensor_groups[ELM_TENSOR_GROUPS] = {"model", "optimizer", "loss"};

/** The version that a file names within, where no user block's damage reaches; -1 where there is
 * none. */
int elm_checkpoint_inner_version(const char *path);

/** elm_checkpoint_read of a file whose digest has just been found right. */
int elm_checkpoint_read_checked(const char *path, elm_checkpoint **checkpoint, elm_error *err);
/** The same without the process that reads it first (base/file/guard.h): for that process, and
 * for a fuzzer, which is one itself. */
int elm_checkpoint_read_unguarded(const char *path, elm_checkpoint **checkpoint, elm_error *err);

#endif
