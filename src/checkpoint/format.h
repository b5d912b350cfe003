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

/** The version that a file names within, where no user block's damage reaches; -1 where there is none. */
int elm_checkpoint_inner_version(const char *path);

/** elm_checkpoint_read of a file whose digest has just been found right. */
int elm_checkpoint_read_checked(const char *path, elm_checkpoint **checkpoint, elm_error *err);
/** The same without the process that reads it first (elmpi/guard.h): for that process, and for a fuzzer, which is one itself. */
int elm_checkpoint_read_unguarded(const char *path, elm_checkpoint **checkpoint, elm_error *err);

/** HDF5's settings for opening a file. Its locks are off: parallel file systems often lack them, and rename keeps readers safe. */
static inline hid_t elm_checkpoint_access(void)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
#if H5_VERSION_GE(1, 10, 7)
    H5Pset_file_locking(access, 0, 1);
#endif
    return access;
}

#endif
