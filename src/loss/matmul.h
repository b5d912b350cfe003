/* Matrix products in double, cut into blocks of rows that threads take from a list. Each block
 * is one call of BLAS on one thread, the same whatever the number of threads, and so are the
 * bits. Matrices are row by row. */
#ifndef ELMPI_LOSS_MATMUL_H
#define ELMPI_LOSS_MATMUL_H

/** Math:   to_ij = a_i . b_j
 *  Shape:  a [rows][width], b [columns][width], to [rows] with `stride` doubles from one row to
 *          the next */
void elm_matmul_nt(const double *a, int rows, const double *b, int columns, int width, double *to,
                   int stride);

/** Math:   to_i = sum_j factor_ij x_j
 *  Shape:  factor [rows] with `stride` from one row to the next, x [count][width], to
 *          [rows][width] */
void elm_matmul_nn(const double *factor, int stride, int rows, const double *x, int count,
                   int width, double *to);

/** The same with factor_ji instead.
 *  Shape:  factor [count] with `stride` from one row to the next, of which the first `rows`
 *          columns are used */
void elm_matmul_tn(const double *factor, int stride, int rows, const double *x, int count,
                   int width, double *to);

#endif
