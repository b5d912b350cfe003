/* Global batch: all embeddings of the batch in its global order, for terms over the whole batch
 * (reach ELM_LOSS_EVERYTHING). Whatever the number of ranks, row p is the same image in the same
 * place of the same block, so what is computed from the rows has the same bits everywhere: the
 * centers and margins learned from them are equal on all ranks without a message. */
#ifndef ELMPI_LOSS_EMBEDDING_GLOBAL_BATCH_H
#define ELMPI_LOSS_EMBEDDING_GLOBAL_BATCH_H

#include "loss/table.h"

typedef struct elm_global_batch {
    int width, classes, max_rows;
    bool normalize;
    int count; /* of the batch at work */
    int first; /* row of this rank's first image; its others follow */
    int local;
    /* [count][width], scaled to length 1 if asked for; a vector without a direction is 0 then */
    double *x;
    /* [count] 1 / length, 0 for a vector without a direction; only if normalized */
    double *inverse;
    int32_t *label;   /* [count] */
    int present;      /* classes that occur */
    int32_t *class;   /* [present] ascending */
    int *start;       /* [present + 1] of each class in `member` */
    int *member;      /* [count] rows by class, ascending in each */
    int *slot;        /* [classes] place in `class` of a class that occurs */
    double *gradient; /* [max_local][width] of this rank's rows: to be filled by the term */
    int *group;       /* [classes] head, torso, tail */
} elm_global_batch;

/** What a term over the whole batch needs. */
void elm_loss_needs_everything(const elm_loss_options *options, elm_loss_needs *needs);

/** Owns:   all its memory, max_rows * width doubles in the main (17 MB for 1024 rows of 2048); the
 *          caller destroys
 *  Errors: -1 with *rows NULL */
int elm_global_batch_create(elm_global_batch **rows, const elm_loss_setup *setup, bool normalize,
                            elm_error *err);
void elm_global_batch_destroy(elm_global_batch *rows);

/** Takes over a batch. Allocates nothing. */
void elm_global_batch_collect(elm_global_batch *rows, const elm_loss_batch *batch);

static inline const double *elm_global_batch_at(const elm_global_batch *rows, int row)
{
    return rows->x + (size_t)row * (size_t)rows->width;
}

static inline int elm_global_batch_members(const elm_global_batch *rows, int slot)
{
    return rows->start[slot + 1] - rows->start[slot];
}

/** Images of the row's class, itself included. */
static inline int elm_global_batch_mates(const elm_global_batch *rows, int row)
{
    return elm_global_batch_members(rows, rows->slot[rows->label[row]]);
}

/** Adds scale * rows->gradient, by the embeddings as they were before normalization, to the
 * batch's gradient. */
void elm_global_batch_add_gradient(const elm_global_batch *rows, const elm_loss_batch *batch,
                                   double scale);

/** This rank's anchors, and how many of them have another image of their class in the batch; the
 * loss is left to the caller. */
elm_loss_value elm_global_batch_anchors(const elm_global_batch *rows);

/** A mean over the images of the global batch: this rank's part of it.
 *  Shape:  row_loss [local] */
elm_loss_value elm_global_batch_mean(const elm_global_batch *rows, const elm_loss_batch *batch,
                                     const double *row_loss);

/** A number for the whole batch (see evaluate in table.h): this rank's part of it. */
elm_loss_value elm_global_batch_tell(const elm_global_batch *rows, const elm_loss_batch *batch,
                                     double value);

/** The factor that belongs to such a number's gradient. */
static inline double elm_global_batch_share(const elm_loss_batch *batch)
{
    return (double)batch->images / (double)batch->global;
}

/** Sum of squared differences; of products. */
double elm_global_batch_distance(const double *a, const double *b, int width);
double elm_global_batch_product(const double *a, const double *b, int width);

#endif
