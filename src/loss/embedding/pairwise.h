/* Pairwise: terms that are functions of the products Phi_i . Phi_j of all pairs of the batch. Every
 * rank computes all products, turns them into the derivatives G_ij of its loss in their place, and
 * gathers for its own rows
 *
 *   dL/dPhi_i = sum_j (G_ij + G_ji) Phi_j
 *
 * so that the anchors of other ranks count without a message.
 *
 * Cost: rows^2 * width multiplications for the products, the ranks' share of as many again for
 * the gradient (2e9 and 2e9 / ranks for 1024 rows of 2048), and rows^2 doubles (8 MB for 1024
 * rows). */
#ifndef ELMPI_LOSS_EMBEDDING_PAIRWISE_H
#define ELMPI_LOSS_EMBEDDING_PAIRWISE_H

#include "loss/embedding/global_batch.h"

typedef struct elm_pairs {
    elm_global_batch *rows;
    double *pair;     /* [rows][rows] products, then derivatives */
    double *row_loss; /* [max_rows] for the term */
} elm_pairs;

/** Owns:   the caller destroys
 *  Errors: -1 with *pairs NULL */
int elm_pairs_create(elm_pairs **pairs, const elm_loss_setup *setup, bool normalize,
                     elm_error *err);
void elm_pairs_destroy(void *pairs);

/** Takes over a batch and computes all products. */
void elm_pairs_collect(elm_pairs *pairs, const elm_loss_batch *batch);

/** Products, or derivatives, of row i with all rows. */
static inline double *elm_pairs_of(const elm_pairs *pairs, int i)
{
    return pairs->pair + (size_t)i * (size_t)pairs->rows->count;
}

/** Adds scale times the gradient that belongs to the derivatives in `pair`. */
void elm_pairs_add_gradient(const elm_pairs *pairs, const elm_loss_batch *batch, double scale);

#endif
