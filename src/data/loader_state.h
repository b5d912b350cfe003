/* Loader state: what lies behind a loader, for the files that share it: loader.c (threads and
 * batches) and loader_bad_images.c (images that cannot be read). */
#ifndef ELMPI_DATA_LOADER_STATE_H
#define ELMPI_DATA_LOADER_STATE_H

#include <pthread.h>
#include <stdbool.h>

#include "data/mixing.h"
#include "data/samples.h"
#include "data/sampling/sampler.h"
#include "elmpi/loader.h"

/* The caller holds one batch while the threads are up to two ahead. */
enum { LOADER_SLOTS = 3 };

/** A batch and the memory behind it. */
typedef struct loader_slot {
    elm_batch batch;
    float *input;
    int32_t *labels;
    int64_t *members;
    bool *unreadable, *replaced;
    /* data.mix: the batch's draw, places of the global batch's partners in it, this rank's
     * partners' labels; NULL without */
    elm_mixing mixing;
    int64_t *partner;
    int32_t *partner_labels;
    int handed, done; /* this rank's records given to threads, and filled */
} loader_slot;

typedef struct loader_thread {
    elm_loader *loader;
    elm_sample_reader reader;
    pthread_t thread;
} loader_thread;

struct elm_loader {
    /* Set once, read by all threads. */
    const elm_dataset *dataset;
    elm_samples records;
    uint64_t seed;
    int64_t batch, batches; /* global ones, of an epoch */
    int64_t part;           /* images that are computed together; evaluation: batch */
    int grain;              /* records a thread takes at a time */
    int rank, size;
    bool training, drop_last;
    const elm_data_options *options; /* training only */
    elm_sampler *sampler;            /* training only */

    /* Of whichever thread is laying out a batch. */
    int64_t epoch, index; /* what it lays out next: this global batch, */
    int turn;             /* this part of it */
    int64_t *order;       /* [count], of order_epoch; training only */
    int64_t order_epoch;

    /* Shared, under the mutex: batches laid out, filled, taken and given back since the
     * beginning, each in this order. */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    loader_slot slots[LOADER_SLOTS];
    int64_t begun, prepared, taken, returned;
    bool laying, ended, stopping; /* ended: there is nothing more to lay out */

    loader_thread *threads;
    int running;
    double waited_seconds; /* the caller's own */
};

#endif
