/* Gradient sum: the bucketed allreduce that runs while the backward pass still computes
 * (docs/design.md, section 3, step 5). */
#ifndef ELMPI_COMM_GRADIENT_SUM_H
#define ELMPI_COMM_GRADIENT_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/timeline.h"

typedef struct elm_gradient_sum elm_gradient_sum;

/** Cuts the contiguous gradient block into buckets along parameter boundaries, from the end (whose
 * gradients are final first).
 *  Shape:  gradients [count] float32; starts [parameters] ascending offsets of the parameters,
 *          starts[0] == 0
 *  Ranks:  collective; all arguments but the pointer equal everywhere
 *  Owns:   borrows `gradients` until destroyed
 *  Errors: -1 when memory runs out or a message is beyond what MPI counts, agreed by all ranks */
int elm_gradient_sum_create_all(elm_gradient_sum **sum, elm_comm *comm, float *gradients,
                                int64_t count, const int64_t *starts, int parameters,
                                const elm_comm_options *options, elm_error *err);
void elm_gradient_sum_destroy(elm_gradient_sum *sum);

/** All gradients from `first` to the end of the block are final: posts every bucket that lies
 * wholly there (MPI_Iallreduce in place, or the rounds of messages that comm.compress asks for).
 *  Ranks:  every rank posts the same buckets in the same order; when it does so is its own
 *          affair */
void elm_gradient_sum_ready_all(elm_gradient_sum *sum, int64_t first);

/** Records from now on when each bucket was under way; NULL: no more. Borrowed. */
void elm_gradient_sum_set_timeline(elm_gradient_sum *sum, elm_timeline *timeline);

/** Gives MPI a chance to move on (MPI_Test). Local, cheap, callable at any time. */
void elm_gradient_sum_poll(elm_gradient_sum *sum);

/** Waits for all buckets; afterwards the block holds the sums over all ranks. Returns the
 * seconds spent waiting. */
double elm_gradient_sum_wait_all(elm_gradient_sum *sum);

/** Number of buckets; floats in the bucket that leaves as number `b`, from 0 on. */
int elm_gradient_sum_buckets(const elm_gradient_sum *sum);
int64_t elm_gradient_sum_bucket_count(const elm_gradient_sum *sum, int b);

#endif
