#include "analysis/class_statistics.h"

#include <math.h>

#include "base/cpu/vectors.h"

static void find_mean(const float *const *rows, int64_t n, int width, double *mean)
{
    for (int k = 0; k < width; k++)
        mean[k] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < width; k++)
            mean[k] += (double)rows[i][k];
    for (int k = 0; k < width; k++)
        mean[k] /= (double)n;
}

/* log(1 + sum exp(d^2 - alpha)) of one image, scaled by the largest term so that nothing
 * overflows; `farthest` by the way. */
static double pull_of(const float *const *rows, int64_t n, int width, double alpha, int64_t i,
                      double *farthest)
{
    double largest = 0, sum = 1, most = 0; /* the term 1 is exp(0) */
    for (int64_t j = 0; j < n; j++) {
        if (j == i)
            continue;
        const double d = elm_vectors()->square_distance(rows[i], rows[j], width),
                     exponent = d - alpha;
        most = d > most ? d : most;
        if (exponent > largest) {
            sum = sum * exp(largest - exponent) + 1;
            largest = exponent;
        } else {
            sum += exp(exponent - largest);
        }
    }
    *farthest = sqrt(most);
    return largest + log(sum);
}

elm_class_statistics elm_class_statistics_of(const float *const *rows, int64_t n, int width,
                                             double alpha, double *mean, double *farthest)
{
    elm_class_statistics s = {.bound = NAN};
    if (n == 0)
        return s;
    find_mean(rows, n, width, mean);
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int k = 0; k < width; k++)
            square += ((double)rows[i][k] - mean[k]) * ((double)rows[i][k] - mean[k]);
        s.trace += square / (double)n;
        s.distance += sqrt(square) / (double)n;
    }
    double total = 0;
#pragma omp parallel for schedule(dynamic, 8) ordered
    for (int64_t i = 0; i < n; i++) {
        const double pull = pull_of(rows, n, width, alpha, i, &farthest[i]);
#pragma omp ordered
        total += pull; /* in the images' order, so that no thread count shows */
    }
    s.pull = total / (double)n;
    if (n > 1)
        s.bound = 2 * (double)n / ((double)n - 1) * s.trace - alpha + log((double)n - 1);
    return s;
}
