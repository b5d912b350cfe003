/* Parts: a checkpoint's file from the HDF5 part, which lies in memory, and the tail behind it, which never does as a whole. */
#ifndef ELMPI_CHECKPOINT_PARTS_H
#define ELMPI_CHECKPOINT_PARTS_H

#include <stddef.h>

#include "elmpi/checkpoint.h"

/** Writes a new file and waits until it has reached the disk: the image with its user block filled in (block, HDF5), then the tail, all of
 *  it under the block's digest. A partial file is left for the caller to remove. */
int elm_parts_write(const char *path, const char *image, size_t size_bytes, const elm_checkpoint_tail *tail, elm_error *err);

#endif
