/* Shards: the tar files that hold a store's images, open for reading at any place by any
 * thread. */
#ifndef ELMPI_STORE_SHARDS_H
#define ELMPI_STORE_SHARDS_H

#include <stdbool.h>

#include "elmpi/store.h"

typedef struct elm_shards elm_shards;

/** Opens every shard of a store, where the store says it lies (relative to the store's own folder),
 * or, where `folder` is not empty, in that folder under the same base name.
 *  Owns:   the caller destroys
 *  Errors: a shard that is missing, or not as long as it was; one that, with all links resolved,
 *          lies neither below the store's folder nor below `folder`, unless `outside` allows it */
int elm_shards_open(elm_shards **shards, const elm_store *store, const char *store_path,
                    const char *folder, bool outside, elm_error *err);
void elm_shards_close(elm_shards *shards);

/** Reads place->length bytes. Any number of threads may read at a time.
 *  Errors: the reason alone, for the caller to put into a sentence */
int elm_shards_read(const elm_shards *shards, const elm_store_place *place, uint8_t *bytes,
                    elm_error *err);

/** The open file of a shard; borrowed. */
int elm_shards_descriptor(const elm_shards *shards, int shard);

/** Whether all shards can lie in one folder.
 *  Errors: two of one base name */
int elm_shards_check_names(const elm_shards *shards, elm_error *err);

/** For messages. */
const char *elm_shards_path(const elm_shards *shards, int shard);

#endif
