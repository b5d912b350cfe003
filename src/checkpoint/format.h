/* Format: what writer and reader of checkpoints agree on. */
#ifndef ELMPI_CHECKPOINT_FORMAT_H
#define ELMPI_CHECKPOINT_FORMAT_H

#include <hdf5.h>

#include "elmpi/checkpoint.h"

#define ELM_CHECKPOINT_FORMAT "elmpi-checkpoint"
enum { ELM_CHECKPOINT_VERSION = 1 };

/** Groups that tensors live in. */
enum { ELM_TENSOR_GROUPS = 4 };
static const char *const elm_tensor_groups[ELM_TENSOR_GROUPS] = {"model", "optimizer", "loss",
                                                                 "ema"};

/** The whole numbers of /input, which are its attributes: their places in the struct, and the
 * largest that is believed. */
typedef struct elm_input_number {
    const char *name;
    size_t place;
    int most;
} elm_input_number;
enum { ELM_INPUT_NUMBERS = 5 };
static const elm_input_number elm_input_numbers[ELM_INPUT_NUMBERS] = {
    {"channels", offsetof(elm_checkpoint_input, channels), ELM_INPUT_CHANNELS_MAX},
    {"height", offsetof(elm_checkpoint_input, height), 1 << 16},
    {"width", offsetof(elm_checkpoint_input, width), 1 << 16},
    {"features", offsetof(elm_checkpoint_input, features), 1 << 30},
    {"resize", offsetof(elm_checkpoint_input, resize), 1 << 16},
};

/** The version that a file names within, where no user block's damage reaches; -1 where there is
 * none. */
int elm_checkpoint_inner_version(const char *path);

/** elm_checkpoint_read of a file whose digest has just been found right. */
int elm_checkpoint_read_checked(const char *path, elm_checkpoint **checkpoint, elm_error *err);
/** The same without the process that reads it first (base/file/guard.h): for that process, and
 * for a fuzzer, which is one itself. */
int elm_checkpoint_read_unguarded(const char *path, elm_checkpoint **checkpoint, elm_error *err);

#endif
