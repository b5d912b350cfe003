/* Class statistics: how one class's embeddings lie (section 4 of the ELM paper). Local
 * mathematics in fp64. */
#ifndef ELMPI_ANALYSIS_CLASS_STATISTICS_H
#define ELMPI_ANALYSIS_CLASS_STATISTICS_H

#include <stdint.h>

typedef struct elm_class_statistics {
    /* of C_y = 1/n sum (Phi - mu_y)(Phi - mu_y)^T: the variances of all dimensions */
    double trace;
    double distance; /* mean of |Phi - mu_y| */
    /* mean over the images of log(1 + sum over the others of exp(|Phi - Phi+|^2 - alpha)):
     * Proposition 1's right side */
    double pull;
    double bound; /* 2n/(n-1) trace - alpha + log(n-1): its left side; NaN for a single image */
} elm_class_statistics;

/** Shape:  rows [n], each [width]; mean [width] and farthest [n] (the largest distance to
 *          another image of the class) are written */
elm_class_statistics elm_class_statistics_of(const float *const *rows, int64_t n, int width,
                                             double alpha, double *mean, double *farthest);

#endif
