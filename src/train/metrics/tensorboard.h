/* TensorBoard: a run's figures as event files in its folder, written by rank 0 where
 * run.tensorboard asks for it.
 *
 * What a step found stands at the number of steps before it, so that a resumed run, which makes
 * what an earlier one said of its first step and later ones void, writes every one of those
 * anew; an epoch's figures stand at the number of steps behind it. */
#ifndef ELMPI_TRAIN_METRICS_TENSORBOARD_H
#define ELMPI_TRAIN_METRICS_TENSORBOARD_H

#include "train/run/run.h"

/** Begins this start's file.
 *  Errors: it cannot be made */
int elm_tensorboard_start(elm_run *run, elm_error *err);
/** The step that ended at run->step and took `seconds`. */
void elm_tensorboard_step(elm_run *run, const elm_step_report *report, double seconds);
void elm_tensorboard_epoch(elm_run *run, const elm_epoch_row *row);
/** Before a checkpoint: nothing that it counts as done is missing from the file when the run is
 * killed later. A file that can no longer be written is told of once and given up. */
void elm_tensorboard_flush(elm_run *run);
void elm_tensorboard_end(elm_run *run);

#endif
