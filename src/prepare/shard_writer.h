/* Shard writer: copies images into plain tar files of bounded size, and knows where in them
 * each one's bytes are. */
#ifndef ELMPI_PREPARE_SHARD_WRITER_H
#define ELMPI_PREPARE_SHARD_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_shard_writer elm_shard_writer;

/** Writes <path>.part; nothing stands under `path` before elm_shard_writer_finish.
 *  Owns:   the caller finishes or destroys
 *  Errors: whatever the disk says */
int elm_shard_writer_create(elm_shard_writer **writer, const char *path, elm_error *err);

/** Appends a file. *offset: where its bytes begin in the tar. */
int elm_shard_writer_add(elm_shard_writer *writer, const char *name, const uint8_t *bytes,
                         size_t size_bytes, int64_t *offset, elm_error *err);
int64_t elm_shard_writer_size(const elm_shard_writer *writer);

/** Ends the tar, fsyncs and renames it. The writer is gone afterwards, also on failure (and so
 * is the .part file). */
int elm_shard_writer_finish(elm_shard_writer *writer, int64_t *size_bytes, elm_error *err);
/** Gives up: removes the .part file. Accepts NULL. */
void elm_shard_writer_destroy(elm_shard_writer *writer);

#endif
