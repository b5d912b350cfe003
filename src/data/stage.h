/* Stage: a store's shards copied to a disk of the node, where all of its ranks read them. */
#ifndef ELMPI_DATA_STAGE_H
#define ELMPI_DATA_STAGE_H

#include <stdint.h>

#include "elmpi/dataset.h"
#include "elmpi/status.h"

/** Told now and then how far the copying is. */
typedef void (*elm_stage_progress)(void *context, int64_t done_bytes, int64_t total_bytes,
                                   double seconds);

/** Copies the shards that options->store names into options->stage, which is made where it is
 * missing; what is there already with the same length and the same first and last bytes, of this
 * user and not writable by others, is left as it is. Copies can be read only by users who may read
 * the shards. Nothing for stores that hold their images themselves.
 *  Ranks:  local: one rank of each node calls, and the others wait for it
 *  Errors: shards missing or of one name, no room on the disk (found before anything is copied),
 *          a write that fails; a file half copied is removed, whole ones stay */
int elm_stage_shards(const elm_data_options *options, elm_stage_progress progress, void *context,
                     elm_error *err);

#endif
