/* Neural collapse: geometry of the class means and the last layer (Papyan, Han and Donoho
 * 2020). Local mathematics in fp64. */
#ifndef ELMPI_ANALYSIS_NEURAL_COLLAPSE_H
#define ELMPI_ANALYSIS_NEURAL_COLLAPSE_H

#include "elmpi/status.h"

typedef struct elm_collapse {
    double inter; /* mean distance between two class means */
    /* NC2: standard deviation of |mu_c - m| over its mean; 0 when all are equally long */
    double equal_norms;
    double equal_angles; /* NC2: standard deviation of the cosines between two mu_c - m */
    /* NC2: mean of |cosine + 1/(L-1)|: 0 when they stand as far apart as L vectors can */
    double widest_angles;
    /* NC3: |W/|W| - M/|M||^2 for the last layer's rows W and M = mu_c - m; NaN without such a
     * layer */
    double duality;
} elm_collapse;

/** Shape:  means [classes][width]; weights [classes][width] float or NULL; present [classes] says
 *          which classes have images: others are left out
 *  Math:   m is the mean of the class means
 *  Errors: memory; fewer than two classes */
int elm_collapse_of(elm_collapse *collapse, const double *means, const float *weights,
                    const double *present, int classes, int width, elm_error *err);

#endif
