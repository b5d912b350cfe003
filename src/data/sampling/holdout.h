/* Held-out images: a part of the training set that is not trained on, to choose models and
 * parameters by. */
#ifndef ELMPI_DATA_SAMPLING_HOLDOUT_H
#define ELMPI_DATA_SAMPLING_HOLDOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

/** The name of the split that they make. */
#define ELM_HOLDOUT_SPLIT "holdout"

/** Check of the option row data.holdout. An empty text is the default, 0. */
int elm_holdout_check(const char *value, elm_error *err);

/** Whether any are asked for; `value` has been checked. */
bool elm_holdout_asked(const char *value);

/** Keeps of `members` [*count], rows of the training set, either those held out or the others, in
 * their order. Which ones is a function of the class and the number of its members alone: any
 * program with the same options finds the same.
 *  Shape:  labels: of all rows, by members' values
 *  Errors: held_out, and there are none */
int elm_holdout_keep(const char *value, bool held_out, const int32_t *labels, int classes,
                     int64_t *members, int64_t *count, elm_error *err);

#endif
