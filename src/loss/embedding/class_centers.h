/* Class centers: one point of the embedding space per class, which follows the images of that
 * class. All ranks keep equal ones (see global_batch.h). */
#ifndef ELMPI_LOSS_EMBEDDING_CLASS_CENTERS_H
#define ELMPI_LOSS_EMBEDDING_CLASS_CENTERS_H

#include "loss/embedding/global_batch.h"

/** The parts of a global batch that a term has seen. */
typedef struct elm_parts_seen {
    int64_t images;
    double passed; /* when: elm_loss_time */
} elm_parts_seen;

/** Counts the batch in. True for the first part of a step: parts of one global batch add up;
 * what is left of a step that came to nothing is dropped: the moment is another, or the parts
 * would come to more than the whole. */
bool elm_parts_begin(elm_parts_seen *parts, int rows, const elm_loss_batch *batch);

typedef struct elm_class_centers {
    int width, classes;
    float *center;  /* [classes][width], at first 0 */
    float *seen;    /* [classes] 1 once an image of the class has been learned from */
    double *sum;    /* [classes][width] of the embeddings noted since the last update */
    int64_t *count; /* [classes] images noted */
    elm_parts_seen parts;
} elm_class_centers;

/** How a center follows its class, from the sum and number of the images since the last time. */
typedef void (*elm_class_centers_rule)(float *center, const double *sum, int64_t count, bool seen,
                                       int width, double rate);

/** Shape:  12 bytes a class and value: 200 MB for 8142 classes of width 2048
 *  Owns:   the caller destroys */
int elm_class_centers_create(elm_class_centers **centers, const elm_loss_setup *setup,
                             elm_error *err);
void elm_class_centers_destroy(elm_class_centers *centers);

/** Remembers the batch's embeddings for the next update. True for the first part of a step
 * (elm_parts_begin). */
bool elm_class_centers_note(elm_class_centers *centers, const elm_global_batch *rows,
                            const elm_loss_batch *batch);

/** Lets the centers of the classes noted follow. */
void elm_class_centers_follow(elm_class_centers *centers, elm_class_centers_rule rule, double rate);

/** The two tensors that a checkpoint must hold; see elm_loss_row's tensors. */
int elm_class_centers_tensors(elm_class_centers *centers, elm_tensor *tensors, int capacity);

#endif
