/* Epoch metrics: the figures of each epoch, and the running sums of the current one. */
#ifndef ELMPI_TRAIN_METRICS_EPOCH_METRICS_H
#define ELMPI_TRAIN_METRICS_EPOCH_METRICS_H

#include <stdint.h>

#include "elmpi/checkpoint.h"
#include "elmpi/metrics.h"
#include "elmpi/output.h"
#include "elmpi/trainer.h"

/** What an evaluation found on one split. NaN where nothing was measured. */
typedef struct elm_split_metrics {
    double balanced_accuracy, accuracy, group[3];
} elm_split_metrics;

/** One row of metrics.csv. Accuracies are fractions; NaN where nothing was measured. */
typedef struct elm_epoch_metrics {
    double epoch, step, lr;
    double loss, logit_loss, embed_loss, train_accuracy;
    double positives[3]; /* share of anchors that met a positive: head, torso, tail */
    /* length of the embedding term's gradient at the embeddings over that of all losses: head,
     * torso, tail */
    double embed_gradient[3];
    double images_per_s, seconds;
    double bank[3]; /* share of anchors that met a positive in the memory bank */
    /* squared distance from an image's entry there to its embedding now, relative to that
     * between images of a class */
    double bank_drift;
    double unreadable; /* images of a class of which none could be read */
    double input_wait; /* share of the time that rank 0 waited for the loader */
    elm_split_metrics test, holdout;
} elm_epoch_metrics;

/** Sums since the epoch began, kept in checkpoints so that a resume in mid-epoch reports the
 * same epoch. */
typedef struct elm_epoch_sums {
    double images, seconds, waited;
    double banked;            /* steps that had a memory bank */
    elm_step_figures figures; /* losses times images */
} elm_epoch_sums;

/** Where in a run something is. */
typedef struct elm_step_place {
    int64_t step; /* steps done */
    double epoch; /* the same in epochs */
    double lr;    /* of the last step, or of the one at work */
} elm_step_place;

typedef struct elm_history {
    elm_epoch_metrics *rows;
    int64_t count, capacity;
} elm_history;

void elm_epoch_sums_add(elm_epoch_sums *sums, const elm_step_report *report, double seconds);
/** The row of an epoch without figures of evaluations. */
elm_epoch_metrics elm_epoch_metrics_of(const elm_epoch_sums *sums, elm_step_place place);
elm_split_metrics elm_split_metrics_of(const elm_metrics *metrics);

/** Column i of metrics.csv: its name, NULL behind the last, and the row's value. */
const char *elm_epoch_metrics_column(const elm_epoch_metrics *row, int i, double *value);

int elm_history_append(elm_history *history, const elm_epoch_metrics *row, elm_error *err);
void elm_history_free(elm_history *history);
/** Writes metrics.csv: an elm_file_writer, context: the elm_history. */
int elm_history_put_csv(elm_output *output, const void *context, elm_error *err);
/** The row with the best balanced accuracy on the test set, or NULL. */
const elm_epoch_metrics *elm_history_best(const elm_history *history);
/** The row with the best balanced accuracy on the held-out images, or NULL: a choice that the
 * test set has no part in. */
const elm_epoch_metrics *elm_history_best_held_out(const elm_history *history);

/** As columns of a checkpoint.
 *  Owns:   *columns and their values: elm_history_columns_free. */
int elm_history_columns(const elm_history *history, elm_history_column **columns, int *count,
                        elm_error *err);
void elm_history_columns_free(elm_history_column *columns, int count);
int elm_history_from_checkpoint(elm_history *history, const elm_checkpoint *checkpoint,
                                elm_error *err);

enum { ELM_EPOCH_SUMS = sizeof(elm_epoch_sums) / sizeof(double) };
/** Sums as progress values [ELM_EPOCH_SUMS], and back. */
void elm_epoch_sums_export(const elm_epoch_sums *sums, elm_progress_value *values);
void elm_epoch_sums_import(elm_epoch_sums *sums, const elm_checkpoint *checkpoint);

#endif
