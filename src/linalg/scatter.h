/* Scatter: class means and the shared within-class covariance of embeddings that lie on many
 * ranks, laid over a process grid. The embeddings stay where they were computed: batch b lies on
 * rank b % size, which is a block-cyclic matrix on a grid of one column whose blocks are
 * batches. The covariance, square and smaller, then moves to a grid as square as the ranks
 * allow. fp64. */
#ifndef ELMPI_LINALG_SCATTER_H
#define ELMPI_LINALG_SCATTER_H

#include "elmpi/comm.h"
#include "linalg/matrix.h"

typedef struct elm_scatter_problem {
    /* [local][width] this rank's batches b, b % size == rank, one after another */
    const float *embeddings;
    const int32_t *labels; /* [local] */
    int64_t local;
    int width;
    int64_t count; /* images of all ranks */
    int64_t batch; /* images of a batch; the last may have fewer */
    int classes;
    const int64_t *class_count; /* [classes] */
    /* shrinkage: this share of the mean variance comes on the diagonal */
    double epsilon;
    int rows, columns; /* process grid; 0: as square as the ranks allow */
    int block;         /* of rows and columns of the covariance; 0: 64 */
} elm_scatter_problem;

typedef struct elm_scatter {
    const elm_scatter_problem *problem;
    elm_comm *comm;
    int width, block;
    double *means; /* [classes][width], on all ranks; 0 for a class without images */
    elm_grid *tall, *square;
    /* [width][width] on the square grid, its lower half: 1/N sum over images of (Phi - mu_y)(Phi
     * - mu_y)^T */
    elm_matrix within;
} elm_scatter;

/** Ranks:  collective; equal to 1e-6 for any number of ranks, grid and block
 *  Owns:   `problem` is borrowed; the caller calls elm_scatter_release_all, also after an error
 *  Errors: memory: agreed by all ranks */
int elm_scatter_create_all(elm_scatter *scatter, const elm_scatter_problem *problem, elm_comm *comm,
                           elm_error *err);
void elm_scatter_release_all(elm_scatter *scatter);

/** Adds epsilon tr(m) / width to the diagonal: embeddings that are always 0 make covariances
 * singular.
 *  Ranks:  collective
 *  Errors: no variance at all, the same on all ranks */
int elm_scatter_shrink_all(const elm_scatter *scatter, const elm_matrix *m, elm_error *err);

#endif
