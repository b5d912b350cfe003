/* TensorBoard: a run's figures as event files in its folder, written by rank 0 where
 * run.tensorboard asks for it.
 *
 * What a step found stands at the number of steps before it, so that a resumed run, which makes
 * what an earlier one said of its first step and later ones void, writes every one of those
 * anew; an epoch's figures stand at the number of steps behind it. */
#ifndef ELMPI_TRAIN_METRICS_TENSORBOARD_H
#define ELMPI_TRAIN_METRICS_TENSORBOARD_H

#include <stdbool.h>

#include "elmpi/log.h"
#include "train/metrics/epoch_metrics.h"

/** All zero: off. */
typedef struct elm_tensorboard {
    struct elm_event_file *events; /* NULL: none, or given up */
    const elm_log *log;
    const char *folder; /* the run's */
    bool clips;         /* the gradient norm is recorded */
    double flushed;     /* elm_clock_seconds */
} elm_tensorboard;

/** Begins this start's file, of the run's `number` in its folder; `log` and `folder` are borrowed.
 *  Errors: it cannot be made */
int elm_tensorboard_start(elm_tensorboard *board, const char *folder, int number,
                          const elm_log *log, bool clips, elm_error *err);
/** A resumed run goes on behind that step: what an earlier one said of later ones is void. */
void elm_tensorboard_resume(elm_tensorboard *board, const elm_history *history, int64_t step);
/** The step that ended at `place` and took `seconds`. */
void elm_tensorboard_step(elm_tensorboard *board, const elm_step_report *report, double seconds,
                          elm_step_place place);
void elm_tensorboard_epoch(elm_tensorboard *board, const elm_epoch_metrics *row);
/** Before a checkpoint: nothing that it counts as done is missing from the file when the run is
 * killed later. A file that can no longer be written is reported once and closed. */
void elm_tensorboard_flush(elm_tensorboard *board);
void elm_tensorboard_end(elm_tensorboard *board);

#endif
