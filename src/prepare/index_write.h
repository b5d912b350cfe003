/* Index write: from the catalogue to the store. */
#ifndef ELMPI_PREPARE_INDEX_WRITE_H
#define ELMPI_PREPARE_INDEX_WRITE_H

#include "prepare/index_state.h"

/** The store, which stands under request->out afterwards. */
int elm_picture_store_write(elm_picture_job *job, int classes, elm_error *err);

#endif
