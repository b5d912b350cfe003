/* t-SNE (van der Maaten and Hinton 2008): points in the plane whose neighborhoods resemble
 * those of many dimensions. */
#ifndef ELMPI_ANALYSIS_TSNE_H
#define ELMPI_ANALYSIS_TSNE_H

#include "elmpi/status.h"

typedef struct elm_tsne_settings {
    double perplexity; /* neighbors a point looks at, about; fewer than a third of the points */
    int steps;         /* of gradient descent, the first quarter with exaggerated attraction */
} elm_tsne_settings;

/** Exact (no approximation of far points): time and memory grow with points^2.
 *  Shape:  x [points][width]; y [points][2]: where to begin, say principal components; then the
 *          result
 *  Math:   P by a search for each point's bandwidth, symmetrised; Q by Student's t; descent with
 *          momentum and gains, rate points / 48 but at least 50, exaggeration 12
 *  Ranks:  local; the same bits for any number of threads
 *  Owns:   *divergence is the Kullback-Leibler divergence reached
 *  Errors: memory; fewer than 4 points */
int elm_tsne(const float *const *x, int points, int width, elm_tsne_settings settings, double *y,
             double *divergence, elm_error *err);

#endif
