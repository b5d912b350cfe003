/* Rows by class: embeddings, distributed over ranks by batch, redistributed by class: each class
 * wholly on one rank, for computations over pairs. */
#ifndef ELMPI_ANALYSIS_ROWS_BY_CLASS_H
#define ELMPI_ANALYSIS_ROWS_BY_CLASS_H

#include "eval/forward_pass.h"

typedef struct elm_class_rows {
    int classes, width;
    int *owner;    /* [classes] the rank that holds it, the same on all ranks */
    int64_t count; /* images here */
    /* [count] each [width], class by class, in the order of their places in the data set */
    const float **rows;
    int64_t *members; /* [count] places in the data set */
    /* [classes + 1] where a class begins in rows; empty where another rank holds it */
    int64_t *first;
    void *memory;
} elm_class_rows;

/** Classes are shared out so that each rank has about as many pairs.
 *  Ranks:  collective: errors agreed
 *  Owns:   the caller calls elm_class_rows_release, also after an error */
int elm_class_rows_all(elm_class_rows *rows, const elm_embedding_set *embedded,
                       const int64_t *class_count, int classes, elm_comm *comm, elm_error *err);
void elm_class_rows_release(elm_class_rows *rows);

#endif
