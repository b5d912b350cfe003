/* Nonfinite: what follows when a step's loss or gradient is NaN or infinite (run.nonfinite). */
#ifndef ELMPI_TRAIN_NONFINITE_POLICY_H
#define ELMPI_TRAIN_NONFINITE_POLICY_H

#include "elmpi/trainer.h"
#include "train/run/run.h"

/** Checks a value of run.nonfinite: "stop" or "skip:<n>". */
int elm_nonfinite_check(const char *value, elm_error *err);

/** Tells what broke first and in which images; then the run ends (-1), or goes on without the step
 * that came to nothing.
 *  Ranks:  collective, after a step that was not finite; `batch` is its batch, or its last part,
 *          still unchanged */
int elm_nonfinite_all(elm_run *run, const elm_batch *batch, elm_error *err);

#endif
