/* Softmax cross-entropy in the generality that several logit losses share. */
#ifndef ELMPI_LOSS_LOGIT_SOFTMAX_H
#define ELMPI_LOSS_LOGIT_SOFTMAX_H

#include "loss/table.h"

/** Math:   (1 - p)^gamma (-log p), p = e^{z_y} / sum over classes not dropped of e^{z_c}, z_c =
 *          scale f_c + shift_c + label_shift_y [c = y]; stable for any finite logits (the largest
 *          is subtracted), loss and sums in double
 *  Owns:   its arrays. The loss that creates it may change the fields; creation leaves plain
 *          cross-entropy */
typedef struct elm_softmax {
    double scale, gamma;
    /* p = e^(-w l) for an image of weight w and cross-entropy l, instead of e^-l */
    bool weigh_first;
    double *shift, *label_shift; /* [classes] */
    /* [classes] the share e_y of a label that is spread evenly, for gamma 0 without dropped
     * classes: the loss is then -sum over c of ((1 - e_y) [c = y] + e_y / L) log p_c; NULL: none
     * (loss/logit/smoothing.h) */
    double *smoothing;
    /* [max_local][classes] 1: that class is left out of that image's sum; NULL: none is */
    unsigned char *dropped;
    /* [max_local]: summed in order afterwards, whoever computed them */
    double *row_loss;
} elm_softmax;

int elm_softmax_create(elm_softmax **softmax, const elm_loss_setup *setup, elm_error *err);

/** The evaluate and destroy of a row whose state is an elm_softmax. */
elm_loss_value elm_softmax_evaluate(void *softmax, const elm_loss_batch *batch, double weight);
void elm_softmax_destroy(void *softmax);

/** The weighted sum of row_loss over the batch's local images. */
elm_loss_value elm_softmax_sum(const elm_softmax *softmax, const elm_loss_batch *batch);

#endif
