/* Matrix: a matrix of doubles dealt out over a process grid in blocks (two-dimensional
 * block-cyclic), and what elmpi asks ScaLAPACK to do with it. Every function is collective over
 * all ranks; those outside the grid hold nothing and compute nothing. Places count from 0. */
#ifndef ELMPI_LINALG_MATRIX_H
#define ELMPI_LINALG_MATRIX_H

#include "comm/grid.h"

typedef struct elm_matrix {
    elm_grid_place at;
    int rows, columns, row_block, column_block;
    int local_rows, local_columns;
    double *data; /* [local_columns][local_rows]: column by column */
    int descriptor[9];
} elm_matrix;

/** Filled with 0.
 *  Owns:   the caller calls elm_matrix_release, also after an error
 *  Errors: -1: memory, or more than 2^31 numbers on a rank, which ScaLAPACK cannot count; local:
 *          the caller agrees */
int elm_matrix_create(elm_matrix *matrix, const elm_grid *grid, int rows, int columns,
                      int row_block, int column_block, elm_error *err);
void elm_matrix_release(elm_matrix *matrix);

/** The number at a place, where this rank holds it; else NULL. */
double *elm_matrix_cell(const elm_matrix *matrix, int row, int column);

/** to = factor x^T x, its lower half; both on one grid. */
void elm_matrix_squares_all(const elm_matrix *x, double factor, const elm_matrix *to);

/** Copies from one grid to another; `world` is a grid of all ranks. */
void elm_matrix_copy_all(const elm_matrix *from, const elm_matrix *to, const elm_grid *world);

/** Replaces b by a^-1 b for a positive definite a, of which the lower half is read and destroyed
 * (Cholesky).
 *  Errors: -1 on the ranks of the grid when a is not positive definite; the caller agrees */
int elm_matrix_solve_all(const elm_matrix *a, const elm_matrix *b, elm_error *err);

/** to += what, both laid out alike. Local. */
void elm_matrix_add(const elm_matrix *what, const elm_matrix *to);

/** to = a b for a symmetric a of which the lower half is read. */
void elm_matrix_symmetric_product_all(const elm_matrix *a, const elm_matrix *b,
                                      const elm_matrix *to);

/** Replaces a, symmetric, by L^-1 a L^-T with b = L L^T: the generalized eigenproblem a v = lambda
 * b v becomes an ordinary one. Lower halves; b is destroyed.
 *  Errors: -1 on the ranks of the grid when b is not positive definite; the caller agrees */
int elm_matrix_reduce_all(const elm_matrix *a, const elm_matrix *b, elm_error *err);

/** Eigenvalues of a symmetric a, of which the lower half is read and destroyed, in ascending order,
 * and its eigenvectors as columns.
 *  Shape:  values [a->rows], on the grid's ranks alone
 *  Errors: -1: memory, no convergence; the caller agrees */
int elm_matrix_eigen_all(const elm_matrix *a, double *values, const elm_matrix *vectors,
                         elm_error *err);

#endif
