/* Prior: what takes the training set's class frequencies out of logits (Menon et al. 2021). */
#ifndef ELMPI_EVAL_PRIOR_H
#define ELMPI_EVAL_PRIOR_H

#include <stdint.h>

#include "elmpi/status.h"

/** What posthoc-la adds to the logits.
 *  Math:   shift_c = -tau log pi_c, pi_c = train_count_c / sum of train_count
 *  Shape:  train_count, shift [classes]
 *  Errors: a class without a training image */
int elm_prior_shift(const int64_t *train_count, int classes, double tau, double *shift,
                    elm_error *err);

#endif
