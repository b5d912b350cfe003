/* Redistribute: sends each row to the rank that the caller names. */
#ifndef ELMPI_COMM_REDISTRIBUTE_H
#define ELMPI_COMM_REDISTRIBUTE_H

#include "elmpi/comm.h"

/** Sends row i of this rank, `row_size` bytes, to rank to[i].
 *  Ranks:  collective; row_size must agree
 *  Owns:   *received [*received_count][row_size], rows in the order of the ranks they come from,
 *          each rank's in its own order: elm_free
 *  Errors: memory, more than 2^31 rows on a rank: agreed by all ranks; *received is NULL then */
int elm_comm_redistribute_all(elm_comm *comm, const void *rows, size_t row_size, const int *to,
                              int64_t count, void **received, int64_t *received_count,
                              elm_error *err);

#endif
