/* Softmax cross-entropy of shifted logits: what ce and logadj share. */
#ifndef ELMPI_LOSS_SOFTMAX_H
#define ELMPI_LOSS_SOFTMAX_H

#include "loss/table.h"

typedef struct elm_softmax elm_softmax;

/** Math:   CE(f + shift), numerically stable (largest logit subtracted), loss and sums in double
 *  Shape:  *shift, [classes], zeroed, may be filled by the caller when `shift` is not NULL
 *  Owns:   the caller destroys */
int elm_softmax_create(elm_softmax **softmax, const elm_loss_setup *setup, double **shift, elm_error *err);

/** The evaluate and destroy of a row whose state is an elm_softmax. */
elm_loss_value elm_softmax_evaluate(void *softmax, const elm_loss_batch *batch, double weight);
void elm_softmax_destroy(void *softmax);

#endif
