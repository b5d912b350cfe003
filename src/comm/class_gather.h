/* Class gather: brings the embeddings that a rank's images need from other ranks (docs/design.md,
 * section 3, step 3). The labels of the whole global batch are known everywhere beforehand, so
 * counts and places need no message. */
#ifndef ELMPI_COMM_CLASS_GATHER_H
#define ELMPI_COMM_CLASS_GATHER_H

#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/partition.h"

typedef enum elm_gather_mode {
    ELM_GATHER_NONE,   /* nothing travels */
    ELM_GATHER_SLICES, /* only embeddings whose class also occurs on another rank */
    ELM_GATHER_ALL,    /* everything */
} elm_gather_mode;

/** Rows that came from other ranks; the caller's own rows are not among them. Borrowed from the
 * gather until the next post. */
typedef struct elm_gathered {
    /* of all classes for ELM_GATHER_ALL; for SLICES only of classes that this rank holds too */
    int rows;
    const float *embeddings; /* [rows][width] */
    const int32_t *labels;   /* [rows] */
    const int64_t *position; /* [rows] place in the global batch, ascending */
} elm_gathered;

typedef struct elm_class_gather elm_class_gather;

/** Shape:  width floats a row; at most max_global images a batch, labels below `classes`
 *  Ranks:  collective; arguments equal everywhere */
int elm_class_gather_create_all(elm_class_gather **gather, elm_comm *comm, elm_gather_mode mode,
                                int width, int64_t max_global, int classes, elm_error *err);
void elm_class_gather_destroy(elm_class_gather *gather);

/** Posts the MPI_Iallgatherv of this batch and returns. Allocates nothing.
 *  Shape:  labels [share.global] of the whole batch in its global order; embeddings
 *          [share.local][width], copied before return
 *  Ranks:  collective; share is elm_partition_of(global, size, rank) on each */
void elm_class_gather_post_all(elm_class_gather *gather, const int32_t *labels, elm_partition share,
                               const float *embeddings);

/** Gives MPI a chance to move on. Local. */
void elm_class_gather_poll(elm_class_gather *gather);

/** Waits for the posted gather. */
elm_gathered elm_class_gather_wait_all(elm_class_gather *gather);

/** Rows of this rank that travelled in the last post; sending everything would have cost
 * share.local. */
int64_t elm_class_gather_rows_sent(const elm_class_gather *gather);

#endif
