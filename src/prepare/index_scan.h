/* Index scan: through the archives, file by file. */
#ifndef ELMPI_PREPARE_INDEX_SCAN_H
#define ELMPI_PREPARE_INDEX_SCAN_H

#include "prepare/index_state.h"

/** Goes through all archives. */
int elm_picture_files_walk(elm_picture_job *job, elm_error *err);
/** Drops a shard that is not finished. */
void elm_picture_files_release(elm_picture_job *job);

#endif
