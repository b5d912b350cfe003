/* Class weights: those of the weighted mean over the global batch, and when in a run they hold. */
#ifndef ELMPI_LOSS_LOGIT_CLASS_WEIGHTS_H
#define ELMPI_LOSS_LOGIT_CLASS_WEIGHTS_H

#include "loss/table.h"

typedef struct elm_class_weights elm_class_weights;

/** Weights of the logit loss `row` as loss.weights says; *weights NULL: every image always counts
 * the same.
 *  Math:   w_c = (1 - b) / (1 - b^n_c), rescaled to sum to L (Cui et al. 2019); b = 1 stands for
 *          its limit 1 / n_c. A class without training images weighs 0. drw (Cao et al. 2019): b =
 *          0, all 1, before the epoch of the switch. frequency (Samuel and Chechik 2021, second
 *          stage): w_c = n_c / max n
 *  Owns:   the caller destroys */
int elm_class_weights_create(elm_class_weights **weights, const elm_loss_row *row,
                             const elm_loss_setup *setup, elm_error *err);
void elm_class_weights_destroy(elm_class_weights *weights);

/** Sets the batch's class_weights and divisor for its moment: the sum of the *global* batch's
 * weights, which the labels give without a message, or its images where the loss divides by them.
 *  Ranks:  local, and the same on all */
void elm_class_weights_apply(const elm_class_weights *weights, elm_loss_batch *batch);

#endif
