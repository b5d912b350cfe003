/* Positive rate: the share of anchors with a positive, and the embeddings that must be sent for it,
 * counted over the labels of real epochs, without any image. */
#ifndef ELMPI_DATA_POSITIVE_RATE_H
#define ELMPI_DATA_POSITIVE_RATE_H

#include <stdint.h>

#include "elmpi/dataset.h"
#include "elmpi/status.h"

/** Means over the batches counted. Groups are head, torso, tail (elm_class_group). */
typedef struct elm_positive_rate {
    int64_t batches, anchors[3];
    /* anchors with another image of their class in the global batch (loss.scope = global) */
    int64_t global[3];
    int64_t rank[3]; /* among the images of their own rank (scope = rank) */
    /* embeddings that the class gather receives a rank and step, its own included */
    double rows_slices;
    double rows_all; /* the same if everything were gathered: the global batch */
} elm_positive_rate;

/** Counts the global batches of one epoch, cut into shares of `ranks` ranks.
 *  Ranks:  local
 *  Errors: memory; fewer images a batch than ranks */
int elm_positive_rate_count(elm_positive_rate *coverage, const elm_dataset *dataset,
                            const int64_t *order, int64_t batch, int ranks, elm_error *err);

#endif
