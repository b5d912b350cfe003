/* Parts: a checkpoint's file from the HDF5 part, which lies in memory, and the tail behind it,
 * which never does as a whole. */
#ifndef ELMPI_CHECKPOINT_PARTS_H
#define ELMPI_CHECKPOINT_PARTS_H

#include <stddef.h>

#include "elmpi/checkpoint.h"

/** Fills an empty file and waits until it has reached the disk: the image with its user block
 * filled in (block, HDF5), then the tail, all of it under the block's digest. `path` is for
 * messages. */
int elm_parts_write(int fd, const char *path, const char *image, size_t size_bytes,
                    const elm_checkpoint_tail *tail, elm_error *err);

#endif
