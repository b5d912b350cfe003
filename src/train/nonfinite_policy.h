/* Nonfinite policy: what follows a step whose loss or gradient is NaN or infinite
 * (run.nonfinite). */
#ifndef ELMPI_TRAIN_NONFINITE_POLICY_H
#define ELMPI_TRAIN_NONFINITE_POLICY_H

#include "elmpi/log.h"
#include "elmpi/run_folder.h"
#include "elmpi/trainer.h"
#include "train/metrics/epoch_metrics.h"

/** What the policy works with, borrowed, and what it counts. */
typedef struct elm_nonfinite {
    const char *rule; /* run.nonfinite */
    elm_comm *comm;
    elm_trainer *trainer;
    const elm_dataset *train;
    elm_run_folder *folder; /* rank 0 only */
    const elm_log *log;
    int64_t skipped; /* steps left out since the last good one */
} elm_nonfinite;

/** Checks a value of run.nonfinite: "stop" or "skip:<n>". */
int elm_nonfinite_check(const char *value, elm_error *err);

/** Tells what broke first and in which images; then the run ends (-1), or goes on without the step
 * that came to nothing. `place` is where the run is without it.
 *  Ranks:  collective, after a step that was not finite; `batch` is its batch, or its last part,
 *          still unchanged */
int elm_nonfinite_all(elm_nonfinite *policy, const elm_batch *batch, elm_step_place place,
                      elm_error *err);

#endif
