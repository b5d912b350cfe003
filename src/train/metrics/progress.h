/* Progress: what rank 0 tells while a run goes on. On a terminal a line that renews itself;
 * elsewhere one line an epoch. */
#ifndef ELMPI_TRAIN_METRICS_PROGRESS_H
#define ELMPI_TRAIN_METRICS_PROGRESS_H

#include "train/run/run.h"

void elm_progress_start(elm_run *run);
void elm_progress_step(elm_run *run, const elm_step_report *report);
void elm_progress_epoch(elm_run *run, const elm_epoch_row *row);
void elm_progress_end(elm_run *run);

#endif
