/* Checkpoint job: the options that a checkpoint's network was made with. */
#ifndef ELMPI_TRAIN_CHECKPOINT_JOB_H
#define ELMPI_TRAIN_CHECKPOINT_JOB_H

#include "elmpi/checkpoint.h"
#include "elmpi/run.h"

/** Parses the job inside a checkpoint, with overrides ("run.backend=openblas"), and settles the
 * network's head. A backend that this build lacks becomes "auto": another predicts the same, within
 * rounding. `name` stands for the checkpoint in messages.
 *  Errors: as elm_job_parse */
int elm_job_of_checkpoint(const elm_checkpoint *checkpoint, const char *name,
                          const char *const *overrides, int count, elm_job_options *options,
                          elm_error *err);

/** What of the choice the command line fixes. */
typedef struct elm_choice_given {
    bool layout, precision;
} elm_choice_given;

/** What the checkpoint was computed with, as far as this machine can and nothing else is given:
 * then nothing is measured, and predictions do not depend on timings. Ranks without bf16 predict
 * the same, within rounding, in fp32; then all do.
 *  Errors: what is given does not fit */
int elm_job_choice(const elm_job_options *options, bool has_bf16, elm_choice_given given,
                   elm_candidate *choice, elm_error *err);

#endif
