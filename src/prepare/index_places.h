/* Index places: where each image's bytes lie, in its archive or in a shard of the store's own. */
#ifndef ELMPI_PREPARE_INDEX_PLACES_H
#define ELMPI_PREPARE_INDEX_PLACES_H

#include "prepare/index_state.h"

/** Leaves an image where it stands in its archive, from offset on (-1: nowhere), or copies it.
 *  Errors: writing; an archive that is gone */
int elm_places_add(elm_index_build *job, elm_archive_walk *walk, elm_image_item *item,
                   int64_t offset, const uint8_t *bytes, size_t size_bytes, elm_error *err);
/** Copies an image into a shard. */
int elm_places_copy(elm_index_build *job, elm_image_item *item, const uint8_t *bytes,
                    size_t size_bytes, elm_error *err);

/** The image has its place: it is written down, and a shard that it filled is ended. */
int elm_places_note(elm_index_build *job, elm_image_item *item, bool full, elm_error *err);
/** Ends the shard that is being written. */
int elm_places_finish_shard(elm_index_build *job, elm_error *err);

#endif
