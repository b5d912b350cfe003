/* What lda needs of LAPACK, on one thread, so that results do not depend on the number of
 * threads. Matrices are column by column. */
#ifndef ELMPI_LOSS_LAPACK_H
#define ELMPI_LOSS_LAPACK_H

#include "elmpi/status.h"

typedef struct elm_lapack elm_lapack;

/** Work space for matrices up to that size: QR of [height][count], eigenvectors of [side][side].
 *  Owns:   the caller destroys
 *  Errors: -1 with *lapack NULL */
int elm_lapack_create(elm_lapack **lapack, int height, int count, int side, elm_error *err);
void elm_lapack_destroy(elm_lapack *lapack);

/** QR of `count` columns of `height` >= count values, in their place: R on and above the diagonal,
 * Q (kept in `lapack` too) below.
 *  Errors: -1 */
int elm_lapack_qr(elm_lapack *lapack, double *columns, int height, int count);

/** Multiplies `vectors` columns of `height` values by the Q of the last elm_lapack_qr.
 *  Errors: -1 */
int elm_lapack_times_q(elm_lapack *lapack, double *columns, int height, int count, double *x,
                       int vectors);

/** to = x x^T for `count` columns of `side` values; only the lower half is set. */
void elm_lapack_squares(const double *x, int side, int count, double *to);

/** The `wanted` largest eigenvalues of a e = value b e, ascending, and vectors with e^T b e = 1. a
 * and b are destroyed; only their lower halves are looked at.
 *  Shape:  values [side], vectors [wanted][side]
 *  Errors: -1 when b is not positive definite or nothing converges */
int elm_lapack_largest(elm_lapack *lapack, double *a, double *b, int side, int wanted,
                       double *values, double *vectors);

#endif
