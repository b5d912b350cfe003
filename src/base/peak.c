#include "elmpi/peak.h"

#ifdef __x86_64__
#include <immintrin.h>
#endif
#include <omp.h>
#include <stddef.h>

#include "elmpi/memory.h"

/* Two units, four cycles each, and as many registers as the narrowest set has left: twelve independent chains keep them busy. */
enum { LANES = 16, CHAINS = 12, ROUNDS = 20000, RUNS = 10 };

typedef float lanes __attribute__((vector_size(4 * LANES)));

/* Returns the seconds of ROUNDS x CHAINS vector multiply-adds. The result is stored where the compiler cannot see that nobody reads it. */
static double run_once(volatile float *sink)
{
    lanes chain[CHAINS], factor, term;
    for (int j = 0; j < LANES; j++) {
        factor[j] = 0.999999f;
        term[j] = 1e-6f;
    }
    for (int c = 0; c < CHAINS; c++)
        chain[c] = term * (float)c;
    const double begun = omp_get_wtime();
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            chain[c] = chain[c] * factor + term;
    }
    const double seconds = omp_get_wtime() - begun;
    lanes sum = term;
    for (int c = 0; c < CHAINS; c++)
        sum += chain[c];
    *sink = sum[0];
    return seconds;
}

/* The best that all threads reach together, of runs that do `flops` each. */
static double best_of(double (*run)(volatile float *sink), double flops, int threads, double seconds)
{
    const double until = omp_get_wtime() + seconds;
    double best = 0;
    while (omp_get_wtime() < until) {
        double total = 0;
#pragma omp parallel num_threads(threads) reduction(+ : total)
        {
            volatile float sink;
            double least = 1e30;
            for (int r = 0; r < RUNS; r++) {
                const double s = run(&sink);
                least = s < least ? s : least;
            }
            total += flops / least;
        }
        best = total > best ? total : best;
    }
    return best * 1e-9;
}

double elm_peak_gflops(int threads, double seconds)
{
    return best_of(run_once, 2.0 * LANES * CHAINS * ROUNDS, threads, seconds);
}

#ifdef __x86_64__
__attribute__((target("avx512f,avx512bf16"))) static double run_bf16(volatile float *sink)
{
    __m512 chain[CHAINS];
    const __m512i one = _mm512_set1_epi16(0x3f80), small = _mm512_set1_epi16(0x3400); /* 1 and 2^-23 */
    for (int c = 0; c < CHAINS; c++)
        chain[c] = _mm512_set1_ps((float)c);
    const double begun = omp_get_wtime();
    for (int r = 0; r < ROUNDS; r++) {
#pragma GCC unroll 12
        for (int c = 0; c < CHAINS; c++)
            chain[c] = _mm512_dpbf16_ps(chain[c], (__m512bh)one, (__m512bh)small);
    }
    const double seconds = omp_get_wtime() - begun;
    __m512 sum = chain[0];
    for (int c = 1; c < CHAINS; c++)
        sum = _mm512_add_ps(sum, chain[c]);
    *sink = _mm512_reduce_add_ps(sum);
    return seconds;
}

double elm_peak_bf16_gflops(int threads, double seconds)
{
    const double pair = 2; /* products a lane */
    return __builtin_cpu_supports("avx512bf16") ? best_of(run_bf16, pair * 2 * LANES * CHAINS * ROUNDS, threads, seconds) : 0;
}
#else
double elm_peak_bf16_gflops(int threads, double seconds)
{
    (void)threads, (void)seconds;
    return 0;
}
#endif

double elm_peak_gbytes_per_s(int threads, double seconds)
{
    const ptrdiff_t count = (ptrdiff_t)1 << 24;
    float *x = elm_alloc((size_t)count, sizeof *x, NULL), *y = elm_alloc((size_t)count, sizeof *y, NULL);
    double least = 1e30;
    const double until = omp_get_wtime() + seconds;
    for (int run = 0; x && y && (run < 2 || omp_get_wtime() < until); run++) { /* the first also brings the pages in */
        const double begun = omp_get_wtime();
#pragma omp parallel for simd num_threads(threads) schedule(static)
        for (ptrdiff_t i = 0; i < count; i++)
            y[i] = x[i] * 0.5F + 1;
        const double taken = omp_get_wtime() - begun;
        least = taken < least ? taken : least;
    }
    elm_free(x);
    elm_free(y);
    return least < 1e30 ? 2e-9 * (double)count * sizeof(float) / least : 0;
}
