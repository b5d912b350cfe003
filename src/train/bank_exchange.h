/* Bank exchange: what a step does with the memory bank. Its embeddings go to the owners of their
 * classes as soon as they exist, the owners evaluate the term, gradients come back, and once the
 * step is known to be good the owners store what they were sent. */
#ifndef ELMPI_TRAIN_BANK_EXCHANGE_H
#define ELMPI_TRAIN_BANK_EXCHANGE_H

#include "comm/class_exchange.h"
#include "elmpi/loader.h"
#include "loss/embedding/memory_bank.h"

typedef struct elm_bank_exchange elm_bank_exchange;

typedef struct elm_bank_exchange_spec {
    const elm_loss_options *options;
    elm_class_counts counts;
    const int32_t *labels; /* [counts.total] of the training set; borrowed */
    int width;
    int max_local;       /* images of a rank at a time */
    bool means;          /* elm_bank_exchange_means_all will be called */
    int64_t part, batch; /* images at work at a time; of a global batch */
} elm_bank_exchange_spec;

/** Ranks:  collective; the spec's contents equal everywhere
 *  Owns:   bank and all work space; the caller destroys */
int elm_bank_exchange_create_all(elm_bank_exchange **traffic, elm_comm *comm,
                                 const elm_bank_exchange_spec *spec, elm_error *err);
void elm_bank_exchange_destroy(elm_bank_exchange *traffic);
elm_memory_bank *elm_bank_exchange_bank(elm_bank_exchange *traffic);

/** Sends the batch's embeddings out. Allocates nothing, as all of these.
 *  Ranks:  collective, as are _wait_all and _return_all, in this order for each part of a global
 *          batch */
void elm_bank_exchange_post_all(elm_bank_exchange *traffic, const elm_batch *batch,
                                const float *embeddings);
void elm_bank_exchange_poll(elm_bank_exchange *traffic);
/** Waits for the rows of the classes owned here, and shows them as a batch: what `seen` is, for
 * this rank as an owner.
 *  Owns:   the rows are the exchange's, until the next global batch begins */
elm_loss_batch elm_bank_exchange_wait_all(elm_bank_exchange *traffic, const elm_batch *batch,
                                          const elm_loss_batch *seen);
/** For terms that see all rows themselves: the mean of every class that occurs, over its images in
 * the batch and the bank's entries of all others, the same bits on all ranks. And how many of the
 * owned images met an entry.
 *  Shape:  returns [classes that occur, ascending][width], the traffic's until the next call
 *  Ranks:  collective, after _wait_all, whose result `owned` is */
const double *elm_bank_exchange_means_all(elm_bank_exchange *traffic, const elm_batch *batch,
                                          const elm_loss_batch *owned, int64_t with_bank[3]);
/** Brings the gradients home: adds them to seen->embeddings_gradient. */
void elm_bank_exchange_return_all(elm_bank_exchange *traffic, const elm_loss_batch *seen);
/** Stores the global batch's embeddings (all its parts'): it was a good one. Local. */
void elm_bank_exchange_store(elm_bank_exchange *traffic, const elm_batch *batch);

/** The records of the bank, a piece at a time, in the order of elm_memory_bank_layout. Rank 0 calls
 * _next until *size_bytes is 0 (it may stop early, but must come to the end before anything else is
 * sent); the others send theirs meanwhile.
 *  Ranks:  _rewind on all, then _next on rank 0 and _send_rest on the others
 *  Owns:   *piece is the traffic's until the next call */
void elm_bank_exchange_rewind(elm_bank_exchange *traffic);
void elm_bank_exchange_next(elm_bank_exchange *traffic, const void **piece, size_t *size_bytes);
void elm_bank_exchange_send_rest(elm_bank_exchange *traffic);

/** The other way: rank 0 reads each piece with `read`, its owner takes it over. A failure on any
 * rank is agreed at the end.
 *  Ranks:  collective */
typedef int (*elm_piece_reader)(void *context, int64_t offset, void *piece, size_t size_bytes,
                                elm_error *err);
int elm_bank_exchange_load_all(elm_bank_exchange *traffic, elm_piece_reader read, void *context,
                               elm_error *err);

#endif
