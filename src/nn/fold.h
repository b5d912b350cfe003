/* Fold: BatchNorm as a part of the convolution before it, for networks that do not learn. */
#ifndef ELMPI_NN_FOLD_H
#define ELMPI_NN_FOLD_H

#include "nn/graph.h"

/** Replaces each convolution whose output only a BatchNorm reads, and that BatchNorm with its
 * residual and ReLU, by one layer, where the backend can. Parameters and states keep their names
 * and places.
 *  Math:   gamma (w x - mean) / sqrt(variance + e) + beta = (s w) x + (beta - s mean), s = gamma
 *          / sqrt(variance + e) by output channel */
void elm_graph_fold_norms(elm_graph *graph);

#endif
