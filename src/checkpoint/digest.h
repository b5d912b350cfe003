/* Digest: a checkpoint's user block, which tells a whole file from a damaged one before HDF5
 * looks at it. */
#ifndef ELMPI_CHECKPOINT_DIGEST_H
#define ELMPI_CHECKPOINT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#include "elmpi/status.h"
#include "elmpi/watchdog.h"

enum { ELM_USER_BLOCK = 512 };

/** A digest under way, for what does not lie in memory as a whole. NULL after an error. */
typedef struct elm_digest elm_digest;
elm_digest *elm_digest_begin(elm_error *err);
void elm_digest_add(elm_digest *digest, const void *bytes, size_t size_bytes);
/** Fills the user block [ELM_USER_BLOCK] of a file whose part after the block was added, and
 * frees. */
void elm_digest_end(elm_digest *digest, char *block);

/** Fills the user block of a file whose part after the block is `bytes`.
 *  Shape:  block [ELM_USER_BLOCK] */
int elm_digest_block(const void *bytes, size_t size_bytes, char *block, elm_error *err);

/** Compares a file with its user block, reading it once. `watch`, which may be NULL, is told that
 * it goes on: gigabytes may pass.
 *  Errors: *damaged tells a file that is broken or none of ours from one that could not be read
 *          at all, or is a whole one of another version of the format */
int elm_digest_check(const char *path, elm_watchdog *watch, bool *damaged, elm_error *err);

#endif
