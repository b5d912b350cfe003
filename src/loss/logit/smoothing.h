/* Smoothing: labels that are spread over the classes (loss.smoothing). */
#ifndef ELMPI_LOSS_LOGIT_SMOOTHING_H
#define ELMPI_LOSS_LOGIT_SMOOTHING_H

#include "loss/table.h"

/** The share of an image's label that all classes, its own among them, have in equal parts.
 *  Math:   an image of class y has the label q_c = (1 - e_y) [c = y] + e_y / L. uniform: e_y =
 *          loss.smoothing.share (Szegedy et al. 2016). label-aware: e_y = tail + (head - tail)
 *          sin(pi (n_y - n_min) / (2 (n_max - n_min))), n training images of a class, all classes
 *          alike: head (Zhong et al. 2021, MiSLAS, concave form)
 *  Shape:  *shares [classes]; NULL without smoothing
 *  Owns:   the caller frees with elm_free */
int elm_smoothing_create(double **shares, const elm_loss_setup *setup, elm_error *err);

#endif
