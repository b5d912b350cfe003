/* Compressor: the sum of a bucket over all ranks with bf16 on the wire. Every rank sends each
 * other rank that one's share of the bucket (MPI_Ialltoall), sums its own share's copies in fp32
 * in rank order, and sends the sum, rounded once more, to all (MPI_Iallgather). Half the bytes
 * of an fp32 allreduce; each number is rounded to 8 bits twice, however many ranks there are,
 * and all ranks end with the same bits. */
#ifndef ELMPI_COMM_COMPRESSOR_H
#define ELMPI_COMM_COMPRESSOR_H

#include <stdbool.h>

#include "elmpi/comm.h"

typedef struct elm_compressor elm_compressor;

/** For the buckets of a block: bucket b is `count[b]` floats from first[b] on; the arrays and
 * `floats` are borrowed.
 *  Ranks:  local */
int elm_compressor_create(elm_compressor **compressor, elm_comm *comm, float *floats, int buckets,
                          const int64_t *first, const int64_t *count, elm_error *err);
void elm_compressor_destroy(elm_compressor *compressor);

/** Sends bucket b off.
 *  Ranks:  collective, buckets in their order */
void elm_compressor_post_all(elm_compressor *compressor, int b);

/** Moves all posted buckets on as far as they go without waiting; with `wait`, to the end.
 * arrived(context, b) is called for each whose sum has come to be in its place. Allocates
 * nothing. */
void elm_compressor_advance(elm_compressor *compressor, bool wait,
                            void (*arrived)(void *context, int b), void *context);

#endif
