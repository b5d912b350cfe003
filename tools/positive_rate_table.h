/* Positive rate: elmpi-bench's table of how often the pull term finds a partner. */
#ifndef ELMPI_TOOLS_POSITIVE_RATE_TABLE_H
#define ELMPI_TOOLS_POSITIVE_RATE_TABLE_H

#include "elmpi/run.h"

/** Reads the training set's index and prints, for 1 to 1024 ranks, the share of anchors with a
 * positive and the embeddings that travel.
 *  Ranks:  local: one process counts for any number of ranks; labels and order are all it takes
 *  Errors: the store's, unknown models, memory */
int elm_print_positive_rate(const elm_job_options *options, const char *store, elm_error *err);

#endif
