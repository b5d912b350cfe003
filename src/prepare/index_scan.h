/* Index scan: through the archives, file by file. */
#ifndef ELMPI_PREPARE_INDEX_SCAN_H
#define ELMPI_PREPARE_INDEX_SCAN_H

#include "prepare/index_state.h"

/** Goes through all archives. */
int elm_index_scan(elm_index_build *job, elm_error *err);
/** Drops a shard that is not finished. */
void elm_index_scan_release(elm_index_build *job);

#endif
