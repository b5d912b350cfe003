/* The cosine last layer: logits are the cosines of the angles between embeddings and class
 * vectors. */
#ifndef ELMPI_NN_LAYERS_COSINE_H
#define ELMPI_NN_LAYERS_COSINE_H

#include "elmpi/status.h"

typedef struct elm_cosine elm_cosine;

/** Owns:   work space for `max_rows` embeddings, so that a pass allocates nothing */
int elm_cosine_create(elm_cosine **cosine, int max_rows, int in, int out, elm_error *err);
void elm_cosine_destroy(elm_cosine *cosine);

/** Math:   y_ic = x_i . w_c / (|x_i| |w_c|); a vector of length up to 1e-12 has no direction: its
 *          cosines and its gradient are 0
 *  Shape:  x [rows][in], weight [out][in], y [rows][out] */
void elm_cosine_forward(elm_cosine *cosine, const float *x, const float *weight, float *y,
                        int rows);

/** Exact gradients to both for the last forward pass: sets weight_gradient [out][in], adds to dx
 * [rows][in]. */
void elm_cosine_backward(elm_cosine *cosine, const float *dy, float *weight_gradient, float *dx,
                         int rows);

#endif
