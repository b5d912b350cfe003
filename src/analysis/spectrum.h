/* Spectrum: principal components, Fisher's discriminant spectrum and neural collapse of
 * embeddings on many ranks, by ScaLAPACK in fp64. */
#ifndef ELMPI_ANALYSIS_SPECTRUM_H
#define ELMPI_ANALYSIS_SPECTRUM_H

#include "linalg/scatter.h"

enum { ELM_AXES = 2 };

typedef struct elm_spectrum {
    int width; /* 0: a build without ScaLAPACK finds nothing */
    double *memory;
    /* [width] eigenvalues of the covariance of all images (1/N), the largest first */
    double *principal;
    /* [ELM_AXES][width] their first eigenvectors, the largest entry of each positive */
    double *axes;
    /* [width] eigenvalues of S_b v = lambda (S_w + epsilon tr(S_w)/K I) v, the largest first */
    double *fisher;
    /* tr(S_w S_b^+) / classes: 0 when every class is a point (Papyan et al. 2020, NC1) */
    double collapse;
} elm_spectrum;

/** S_w is the shared within-class covariance, S_b = 1/L sum over classes of (mu_c - m)(mu_c - m)^T
 * with m the mean of the class means.
 *  Ranks:  collective: all get the same numbers; equal to 1e-6 for any number of ranks, grid and
 *          block
 *  Owns:   the caller calls elm_spectrum_release, also after an error
 *  Errors: memory, no variance, no convergence: agreed by all ranks */
int elm_spectrum_find_all(elm_spectrum *spectrum, const elm_scatter_problem *problem,
                          elm_comm *comm, elm_error *err);
void elm_spectrum_release(elm_spectrum *spectrum);

#endif
