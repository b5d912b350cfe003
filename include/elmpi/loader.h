/* Loader: batches of this rank's images, decoded, augmented and normalized, prefetched on
 * threads. */
#ifndef ELMPI_LOADER_H
#define ELMPI_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/dataset.h"
#include "elmpi/partition.h"

/** The order of an epoch, a pure function of its arguments: *the same on all ranks*.
 *  Shape:  order [dataset->count] places in the data set
 *  Math:   Every image once: instance: Fisher-Yates over elm_rng_stream(seed, ELM_RNG_ORDER,
 *          epoch, 0); sequential: 0, 1, 2, ...; window:<n>: the images in the order of their
 *          shards are cut into blocks of n / 16 at a random place, the blocks are shuffled, then
 *          the images of each n consecutive positions: none stands n or more positions from where
 *          the shuffled blocks have it. Draws: class-balanced, sqrt, progressive: each position
 *          draws a class with probability 1/L, ~ sqrt(n_c), and (1 - t/T) n_c/N + (t/T)/L in epoch
 *          t = 0, 1, ... of T (Kang et al., ICLR 2020), then the next image of that class.
 *          class-aware:<k>: the classes in random order, again and again anew, k times the next
 *          image of each. The next image of a class: all its images once in random order before
 *          one comes again, anew in every epoch.
 *  Errors: -1 without memory, for an unknown sampler, for progressive without run_epochs */
int elm_sampler_order(const elm_data_options *options, const elm_dataset *dataset, uint64_t seed,
                      int64_t epoch, int64_t *order, elm_error *err);

/** Whether an epoch's order depends on how long the run is to be. */
bool elm_sampler_depends_on_length(const elm_data_options *options);

/** One global batch, or a part of it: all of its images, or those that are computed together.
 * Borrowed until the next elm_loader_next. */
typedef struct elm_batch {
    int64_t epoch, index;             /* which global batch of which epoch */
    int64_t position;                 /* of the part's first image in the epoch's order */
    double passed;                    /* epochs done before the global batch, a real number */
    bool continues;                   /* other parts of the same global batch came before, */
    bool more;                        /* and more will follow */
    elm_partition share;              /* of this part */
    const float *input;               /* [share.local][C][H][W] or [share.local][D] */
    const int32_t *labels;            /* [share.local], = microbatch_labels + share.first */
    const int32_t *microbatch_labels; /* [share.global], in global order */
    const int64_t *members;           /* [share.global] indices into the data set */
    /* [share.local] images of a class of which no image can be read: their input is 0 (mixed: 1 -
     * lambda of the partner), they get gradient 0, as do those whose partner is such a one; NULL:
     * none */
    const bool *unreadable;
    /* [share.local] images that cannot be read: the next of their class stands in for each;
     * NULL: none */
    const bool *replaced;
    int64_t images;               /* of the whole global batch */
    const int32_t *global_labels; /* [images] */
    /* [share.local] labels of the images that those of this part are mixed with (data.mix); NULL:
     * of none. Over the global batch they are its labels in another order */
    const int32_t *partner_labels;
    double own_share; /* lambda: the labels' share where there are partner_labels */
} elm_batch;

typedef struct elm_loader elm_loader;

/** Training batches in the epoch's order, from the global batch (epoch, index) on without end:
 * after the last batch of an epoch (kept unless data.drop_last, may be smaller) comes the next
 * epoch's first. Global batches of `batch` images come in equal parts of at most `part`. Threads
 * (one; for images in shards as many as data.threads says) prepare two parts ahead.
 *  Ranks:  local; rank and size say whose share it is
 *  Owns:   borrows dataset and options */
int elm_loader_create_training(elm_loader **loader, const elm_dataset *dataset,
                               const elm_data_options *options, uint64_t seed, int64_t batch,
                               int64_t part, int rank, int size, int64_t epoch, int64_t index,
                               elm_error *err);

/** Evaluation: every image once in store order, without augmentation, in batches of `batch`
 * whole (share.local == share.global); batch b belongs to rank b % size, so what a batch holds
 * does not depend on the number of ranks. Ends with NULL. */
int elm_loader_create_evaluation(elm_loader **loader, const elm_dataset *dataset, int64_t batch,
                                 int rank, int size, elm_error *err);
void elm_loader_destroy(elm_loader *loader);

/** The next batch, or NULL after the last (evaluation only). Waits for the threads if need be.
 * Allocates nothing. */
const elm_batch *elm_loader_next(elm_loader *loader);

/** Seconds the callers have waited in elm_loader_next so far. */
double elm_loader_waited(const elm_loader *loader);

/** Tells, one at a time, of images that could not be read since the last call: "unreadable
 * image: <name> (<shard>): <why>". In training the next image of the class, in the data set's
 * order, takes the place of such a one. False when there is nothing (more) to tell.
 *  Ranks:  local: of this rank's images */
bool elm_loader_complaint(elm_loader *loader, char *text, size_t size_bytes);

/** Which images could not be read, a bit each, elm_loader_fault_bytes bytes (0: there can be
 * none); and takes over what other ranks found, so that all of them count alike. */
size_t elm_loader_fault_bytes(const elm_loader *loader);
void elm_loader_faults(elm_loader *loader, uint8_t *bits);
void elm_loader_take_faults(elm_loader *loader, const uint8_t *bits);

/** Whether the batches so far are fit for use.
 *  Ranks:  local: the caller agrees on it
 *  Errors: more unreadable images than data.unreadable allows, shards that cannot be read; in
 *          evaluation any unreadable image */
int elm_loader_check(elm_loader *loader, elm_error *err);
/** The same, but unreadable images are let pass: for the caller who looks at `absent`. */
int elm_loader_check_shards(elm_loader *loader, elm_error *err);

/** Batches of an epoch: ceil(count / batch); with drop_last whole ones only, unless there is
 * none. */
int64_t elm_loader_batches(const elm_dataset *dataset, int64_t batch, bool drop_last);

#endif
