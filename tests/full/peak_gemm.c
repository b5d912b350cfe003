/* Prints the meter's peak and what a large product of OpenBLAS reached in the same minute, each
 * the best of many: fp32 GFLOP/s of one thread. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cpu/peak.h"
#include "elmpi/memory.h"

extern void sgemm_(const char *ta, const char *tb, const int *m, const int *n, const int *k,
                   const float *alpha, const float *a, const int *lda, const float *b,
                   const int *ldb, const float *beta, float *c, const int *ldc);

int main(void)
{
    enum { SIDE = 768, ROUNDS = 40 };
    const int n = SIDE;
    const float one = 1, zero = 0;
    float *a = elm_alloc((size_t)n * n, sizeof *a, NULL),
          *b = elm_alloc((size_t)n * n, sizeof *b, NULL),
          *c = elm_alloc((size_t)n * n, sizeof *c, NULL);
    double peak = 0, product = 0;
    if (!a || !b || !c)
        return EXIT_FAILURE;
    for (int i = 0; i < n * n; i++)
        a[i] = b[i] = (float)(i % 7) * 0.1F;
    omp_set_num_threads(1);
    for (int r = 0; r < ROUNDS; r++) {
        const double meter = elm_peak_gflops(1, 0.02), begun = omp_get_wtime();
        sgemm_("N", "N", &n, &n, &n, &one, a, &n, b, &n, &zero, c, &n);
        const double rate = 2e-9 * n * n * n / (omp_get_wtime() - begun);
        peak = meter > peak ? meter : peak;
        product = rate > product ? rate : product;
    }
    printf("%.1f %.1f\n", peak, product);
    elm_free(a);
    elm_free(b);
    elm_free(c);
    return EXIT_SUCCESS;
}
