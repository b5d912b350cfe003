#include "base/cpu/peak.h"

#include <stdbool.h>
#include <stddef.h>

#include "base/cpu/peak_loops.h"
#include "base/process/clock.h"
#include "elmpi/memory.h"

enum { ROUNDS = 20000, RUNS = 10 };

/* GFLOP/s of the best run, in which all threads began together. Each thread is timed by itself:
 * one that was interrupted spoils its own part of a run, not all of it. */
static double best_of_runs(const elm_peak_loop *loop, int threads)
{
    double rates[RUNS] = {0}, best = 0;
#pragma omp parallel num_threads(threads) reduction(+ : rates[:RUNS])
    for (int r = 0; r < RUNS; r++) {
#pragma omp barrier
        const double begun = elm_clock_seconds();
        loop->run(ROUNDS);
        rates[r] += 1e-9 * ROUNDS * loop->flops / (elm_clock_seconds() - begun);
    }
    for (int r = 0; r < RUNS; r++)
        best = rates[r] > best ? rates[r] : best;
    return best;
}

/* The best of the loops that this CPU can run: wider units are not quicker everywhere. */
static double best_of_loops(bool bf16, int threads, double seconds)
{
    int count = 0;
    double best = 0;
    for (const elm_peak_loop *loop = elm_peak_loops; loop->name; loop++)
        count += loop->bf16 == bf16 && loop->available();
    for (const elm_peak_loop *loop = elm_peak_loops; loop->name; loop++) {
        if (loop->bf16 != bf16 || !loop->available())
            continue;
        const double until = elm_clock_seconds() + seconds / count;
        do {
            const double rate = best_of_runs(loop, threads);
            best = rate > best ? rate : best;
        } while (elm_clock_seconds() < until);
    }
    return best;
}

double elm_peak_gflops(int threads, double seconds)
{
    return best_of_loops(false, threads, seconds);
}

double elm_peak_bf16_gflops(int threads, double seconds)
{
    return best_of_loops(true, threads, seconds);
}

double elm_peak_gbytes_per_s(int threads, double seconds)
{
    const ptrdiff_t count = (ptrdiff_t)1 << 24;
    float *x = elm_alloc((size_t)count, sizeof *x, NULL),
          *y = elm_alloc((size_t)count, sizeof *y, NULL);
    double least = 1e30;
    const double until = elm_clock_seconds() + seconds;
    /* the first also brings the pages in */
    for (int run = 0; x && y && (run < 2 || elm_clock_seconds() < until); run++) {
        const double begun = elm_clock_seconds();
#pragma omp parallel for simd num_threads(threads) schedule(static)
        for (ptrdiff_t i = 0; i < count; i++)
            y[i] = x[i] * 0.5F + 1;
        const double taken = elm_clock_seconds() - begun;
        least = taken < least ? taken : least;
    }
    elm_free(x);
    elm_free(y);
    return least < 1e30 ? 2e-9 * (double)count * sizeof(float) / least : 0;
}
