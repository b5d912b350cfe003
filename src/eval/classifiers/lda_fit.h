/* LDA fit: linear discriminant analysis from embeddings that lie on many ranks. */
#ifndef ELMPI_EVAL_CLASSIFIERS_LDA_FIT_H
#define ELMPI_EVAL_CLASSIFIERS_LDA_FIT_H

#include "linalg/scatter.h"

/** Math:   class means mu_c, S = 1/N sum over images of (Phi - mu_y)(Phi - mu_y)^T + epsilon
 *          tr(S)/K I; w_c = S^-1 mu_c (Cholesky, one right-hand side a class), b_c = -mu_c w_c / 2:
 *          section 4.2 of the ELM paper as a classifier, with a uniform prior; fp64
 *  Shape:  weights [classes][width], bias [classes], -infinity for a class without images
 *  Ranks:  collective: all get the same numbers; equal to 1e-6 for any number of ranks, grid and
 *          block
 *  Errors: memory, embeddings without any variance: agreed by all ranks */
int elm_lda_fit_all(const elm_scatter_problem *problem, elm_comm *comm, double *weights,
                    double *bias, elm_error *err);

#endif
