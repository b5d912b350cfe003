/* Class exchange: brings every embedding of a batch to the rank that owns its class, and
 * gradients from there back to where the images are (scope bank). The labels of the whole batch
 * are known everywhere beforehand, so counts and places need no message. */
#ifndef ELMPI_COMM_CLASS_EXCHANGE_H
#define ELMPI_COMM_CLASS_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/comm.h"

/** Rows of the classes that this rank owns, its own images' among them. Borrowed from the
 * exchange until it is discarded. */
typedef struct elm_owned {
    int rows;                /* of the last post */
    const float *embeddings; /* [rows][width] */
    const int32_t *labels;   /* [rows] */
    const int64_t *position; /* [rows] place among the images at work, ascending */
    const bool *mark;        /* [rows] what their rank said of them */
    /* [rows][width] zeroed: the caller's to fill, for elm_class_exchange_return_all */
    float *gradient;
} elm_owned;

typedef struct elm_class_exchange elm_class_exchange;

typedef struct elm_class_exchange_spec {
    const int32_t *owner; /* [classes] borrowed; equal everywhere */
    int width;            /* floats a row */
    int max_local;        /* rows of a rank in a post */
    int64_t max_rows;     /* of all ranks in a post */
    int64_t max_kept;     /* of all ranks between two forgets: one owner may get them all */
} elm_class_exchange_spec;

/** Ranks:  collective; arguments equal everywhere
 *  Owns:   all work space, max_kept + max_rows + 2 max_local rows in the main; the caller
 *          destroys */
int elm_class_exchange_create_all(elm_class_exchange **exchange, elm_comm *comm,
                                  const elm_class_exchange_spec *spec, elm_error *err);
void elm_class_exchange_destroy(elm_class_exchange *exchange);

/** Posts the MPI_Ialltoallv of these rows and returns. What arrives lies behind what earlier posts
 * brought. Allocates nothing.
 *  Shape:  labels [begin[size]] of all images at work, of which rank r has [begin[r], begin[r +
 *          1]); embeddings [local][width] and mark [local] (NULL: all true) of this rank's, copied
 *          before return
 *  Ranks:  collective; labels and begin equal everywhere */
void elm_class_exchange_post_all(elm_class_exchange *exchange, const int32_t *labels,
                                 const int64_t *begin, const float *embeddings, const bool *mark);
/** Gives MPI a chance to move on. Local. */
void elm_class_exchange_poll(elm_class_exchange *exchange);
/** Waits for the posted rows. */
elm_owned elm_class_exchange_wait_all(elm_class_exchange *exchange);

/** Sends the gradients home and adds those of this rank's images to `gradient`.
 *  Shape:  gradient [local][width]
 *  Ranks:  collective, after each wait whose gradients are wanted */
void elm_class_exchange_return_all(elm_class_exchange *exchange, float *gradient);

/** All rows since the last forget: `position` counts within each post; no gradient. Local. */
elm_owned elm_class_exchange_kept(const elm_class_exchange *exchange);
/** The next post's rows take their place. Local. */
void elm_class_exchange_forget(elm_class_exchange *exchange);

/** Rows that left this rank for another with the last post, and that came from others: as many
 * gradients go the other way. */
int64_t elm_class_exchange_rows_sent(const elm_class_exchange *exchange);
int64_t elm_class_exchange_rows_received(const elm_class_exchange *exchange);

#endif
