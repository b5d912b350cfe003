/* The table of losses: all that the rest of the program knows about one is its row. A new loss
 * is one file that defines its row, one line in table.c and one in CMakeLists.txt; help, option
 * checks and tests over the table follow. */
#ifndef ELMPI_LOSS_TABLE_H
#define ELMPI_LOSS_TABLE_H

#include "elmpi/loss.h"
#include "elmpi/tensor.h"

/** What a loss is built from. Borrowed during creation, except `counts`, whose array outlives
 * the loss. */
typedef struct elm_loss_setup {
    const elm_loss_options *options;
    elm_class_counts counts;
    int width;        /* of an embedding, K */
    int max_local;    /* images of this rank at most */
    int64_t max_rows; /* max_local + remote rows at most */
} elm_loss_setup;

/** One logit loss or embedding term. */
typedef struct elm_loss_row {
    const char *name;
    const char *formula; /* per image; averaged over the global batch */
    const char *source;
    const char *help;

    /** What an embedding term needs besides its own rank's rows: sets members of *needs, which is
     * all zero. NULL: nothing. */
    void (*needs)(const elm_loss_options *options, elm_loss_needs *needs);
    /** What it does with the class means that it needs before each epoch. */
    void (*set_means)(void *state, const float *means);

    /** A logit loss that needs another last layer than a plain one; NULL: plain. */
    elm_loss_head (*head)(const elm_loss_options *options, int classes);
    /* a logit loss whose definition has class-balanced weights: what loss.weights = auto stands
     * for */
    bool balanced;
    /* a logit loss whose weighted sum is divided by the images, not by the sum of their weights */
    bool per_image;
    /* a logit loss that is defined for labels spread over the classes (loss.smoothing) */
    bool smooths;
    /* why it is not; NULL: its definition names one class, and no more is to be said */
    const char *unsmoothed;

    /** Allocates everything that evaluating needs. *state is what the other functions get. NULL:
     * nothing, and no destroy either.
     *  Errors: -1 with *state NULL */
    int (*create)(void **state, const elm_loss_setup *setup, elm_error *err);

    /** This rank's part of the batch's mean; adds its gradient times `weight` to the batch's
     * gradient blocks. A logit loss multiplies each image's loss by elm_loss_share, an embedding
     * term divides by batch->global. A term that is no mean over images (one number for the whole
     * batch) counts as images/global of one, and each rank returns its share by its number of
     * images: value * local / images.
     *  Shape:  the value is before `weight`
     *  Ranks:  local; allocates nothing; the same bits for any number of threads */
    elm_loss_value (*evaluate)(void *state, const elm_loss_batch *batch, double weight);

    /** How much of the logit loss and of the embedding term counts at this moment (hybrid
     * schedules); multiplies 1 and lambda. Embedding terms only; NULL: 1 and 1. */
    void (*mix)(const elm_loss_time *moment, double *logit, double *embed);

    /** Lets what it learns follow the last evaluation, after the step has been found good; NULL:
     * it learns nothing. */
    void (*update)(void *state, double lr);

    /** Accepts NULL. */
    void (*destroy)(void *state);

    /** Views of what it learns and a checkpoint must hold (centers, margins, their optimizer
     * state), names without the "loss/" prefix; returns how many there are and fills `tensors`
     * as far as `capacity` goes. NULL: it learns nothing. */
    int (*tensors)(void *state, elm_tensor *tensors, int capacity);
} elm_loss_row;

/** Weight of an image of that class in the weighted mean over the global batch. */
static inline double elm_loss_share(const elm_loss_batch *batch, int32_t label)
{
    return (batch->class_weights ? batch->class_weights[label] : 1) / batch->divisor;
}

/** NULL-terminated. */
extern const elm_loss_row *const elm_logit_losses[];
extern const elm_loss_row *const elm_embedding_terms[];

/** The row of that name.
 *  Errors: NULL, with the nearest name and all names in `err`; `key` is the option that holds
 *          the name */
const elm_loss_row *elm_loss_find(const elm_loss_row *const *rows, const char *key,
                                  const char *name, elm_error *err);

#endif
