/* Index write: from the catalog to the store. */
#ifndef ELMPI_PREPARE_INDEX_WRITE_H
#define ELMPI_PREPARE_INDEX_WRITE_H

#include "prepare/index_state.h"

/** The store, which stands under request->out afterwards. */
int elm_index_write(elm_index_build *job, int classes, elm_error *err);

#endif
