/* Progress: what rank 0 prints during a run. On a terminal a line that renews itself;
 * elsewhere one line an epoch. */
#ifndef ELMPI_TRAIN_METRICS_PROGRESS_H
#define ELMPI_TRAIN_METRICS_PROGRESS_H

#include <stdbool.h>

#include "elmpi/log.h"
#include "train/metrics/epoch_metrics.h"

typedef struct elm_progress {
    const elm_log *log;
    bool on_terminal;
    double epochs;             /* of the schedule */
    int64_t total_steps;       /* the same in steps */
    int64_t first_step;        /* done when this start began */
    const char *logit, *embed; /* names of the losses */
    const char *test_split;
    double started, shown; /* elm_clock_seconds */
} elm_progress;

/** Starts its clock. */
void elm_progress_start(elm_progress *progress);
/** After a step; `sums` are those of its epoch. */
void elm_progress_step(elm_progress *progress, const elm_step_report *report,
                       const elm_epoch_sums *sums, elm_step_place place);
void elm_progress_epoch(elm_progress *progress, const elm_epoch_metrics *row);
void elm_progress_end(elm_progress *progress);

#endif
