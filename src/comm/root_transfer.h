/* Root transfer: data that is distributed over the ranks, sent to rank 0 or from it piece by piece,
 * so that no rank holds the whole. */
#ifndef ELMPI_COMM_ROOT_TRANSFER_H
#define ELMPI_COMM_ROOT_TRANSFER_H

#include <stddef.h>

#include "elmpi/comm.h"

/** Rank `from` sends, rank 0 receives (when they are the same, the bytes stay where they are). Both
 * know the order of the pieces; the others need not call.
 *  Ranks:  called by `from` and by rank 0, in the same order for all pieces of a rank */
void elm_comm_send_to_root(elm_comm *comm, int from, void *bytes, size_t size_bytes);
/** The other way: from rank 0 to rank `to`. */
void elm_comm_send_from_root(elm_comm *comm, int to, void *bytes, size_t size_bytes);

#endif
