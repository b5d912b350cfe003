#include "analysis/tsne.h"

#include <math.h>
#include <stddef.h>

#include "base/cpu/vectors.h"
#include "elmpi/memory.h"

static const double exaggeration = 12, least_share = 1e-12;
enum { SEARCH_STEPS = 100 };

typedef struct space {
    int n;
    double *p;                        /* [n][n] symmetrised affinities, sum 1 */
    double *slope, *speed, *gain, *y; /* [n][2] */
    double *mass;                     /* [n] row sums of 1 / (1 + d^2) */
} space;

/* Affinities of one point for a bandwidth; returns their entropy. `row` holds square distances,
 * `out` the affinities. */
static double spread(const double *row, int n, int i, double precision, double *out)
{
    double nearest = INFINITY, sum = 0, mean = 0;
    for (int j = 0; j < n; j++)
        if (j != i && row[j] < nearest)
            nearest = row[j];
    for (int j = 0; j < n; j++) {
        out[j] = j == i ? 0 : exp(-precision * (row[j] - nearest));
        sum += out[j];
        mean += out[j] * (row[j] - nearest);
    }
    for (int j = 0; j < n; j++)
        out[j] /= sum;
    return log(sum) + precision * mean / sum;
}

/* Finds the bandwidth that makes the entropy that of `perplexity` equal neighbors. */
static void fit_bandwidth(const double *row, int n, int i, double perplexity, double *out)
{
    double precision = 1, low = 0, high = INFINITY;
    const double wanted = log(perplexity);
    for (int s = 0; s < SEARCH_STEPS; s++) {
        const double gap = spread(row, n, i, precision, out) - wanted;
        if (fabs(gap) < 1e-6)
            return;
        if (gap > 0)
            low = precision;
        else
            high = precision;
        precision = isinf(high) ? 2 * precision : (low + high) / 2;
    }
}

static void find_affinities(space *s, const float *const *x, int width, double perplexity,
                            double *distances)
{
    const size_t n = (size_t)s->n;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++)
            distances[i * n + j] = elm_vectors()->square_distance(x[i], x[j], width);
        fit_bandwidth(distances + i * n, s->n, (int)i, perplexity, s->p + i * n);
    }
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double both = (s->p[i * n + j] + s->p[j * n + i]) / (2 * (double)n);
            s->p[i * n + j] = s->p[j * n + i] = both > least_share ? both : least_share;
        }
}

static double closeness(const double *y, size_t i, size_t j)
{
    const double a = y[2 * i] - y[2 * j], b = y[2 * i + 1] - y[2 * j + 1];
    return 1 / (1 + a * a + b * b);
}

/* Sum of 1 / (1 + d^2) over all pairs, row by row so that the order of addition is fixed. */
static double total_mass(const space *s)
{
    const size_t n = (size_t)s->n;
    double total = 0;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        s->mass[i] = 0;
        for (size_t j = 0; j < n; j++)
            s->mass[i] += j != i ? closeness(s->y, i, j) : 0;
    }
    for (size_t i = 0; i < n; i++)
        total += s->mass[i];
    return total;
}

static void find_slopes(const space *s, double attraction)
{
    const size_t n = (size_t)s->n;
    const double mass = total_mass(s);
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double a = 0, b = 0;
        for (size_t j = 0; j < n; j++) {
            const double q = closeness(s->y, i, j),
                         pull = 4 * (attraction * s->p[i * n + j] - q / mass) * q;
            a += pull * (s->y[2 * i] - s->y[2 * j]);
            b += pull * (s->y[2 * i + 1] - s->y[2 * j + 1]);
        }
        s->slope[2 * i] = a;
        s->slope[2 * i + 1] = b;
    }
}

static void move(const space *s, double rate, double momentum)
{
    double middle[2] = {0};
    for (int k = 0; k < 2 * s->n; k++) {
        const int same = (s->slope[k] > 0) == (s->speed[k] > 0);
        const double gain = same ? s->gain[k] * 0.8 : s->gain[k] + 0.2;
        s->gain[k] = gain > 0.01 ? gain : 0.01;
        s->speed[k] = momentum * s->speed[k] - rate * s->gain[k] * s->slope[k];
        s->y[k] += s->speed[k];
        middle[k % 2] += s->y[k] / s->n;
    }
    for (int k = 0; k < 2 * s->n; k++)
        s->y[k] -= middle[k % 2];
}

static double divergence_of(const space *s)
{
    const size_t n = (size_t)s->n;
    const double mass = total_mass(s);
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            if (j != i)
                sum += s->p[i * n + j] * log(s->p[i * n + j] * mass / closeness(s->y, i, j));
    return sum;
}

/* The start is only a direction, small, and rounded: components that differ in their last
 * digits, as on other numbers of ranks, begin the same descent. */
static void shrink(const space *s)
{
    double sum = 0;
    for (int i = 0; i < s->n; i++)
        sum += s->y[2 * i] * s->y[2 * i] / s->n;
    for (int k = 0; k < 2 * s->n && sum > 0; k++)
        s->y[k] = nearbyint(s->y[k] * 1e5 / sqrt(sum)) * 1e-9;
}

int elm_tsne(const float *const *x, int points, int width, elm_tsne_settings settings, double *y,
             double *divergence, elm_error *err)
{
    const size_t n = points > 0 ? (size_t)points : 0;
    space s = {.n = points, .y = y};
    double *distances = NULL;
    if (points < 4)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "%d points are too few for a plot of neighborhoods (t-SNE): choose more classes",
            points);
    const elm_need needs[] = {
        {&s.p, n * n, sizeof *s.p},         {&distances, n * n, sizeof *distances},
        {&s.slope, 2 * n, sizeof *s.slope}, {&s.speed, 2 * n, sizeof *s.speed},
        {&s.gain, 2 * n, sizeof *s.gain},   {&s.mass, n, sizeof *s.mass}};
    const int status = elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
    if (status == 0) {
        const double most = ((double)points - 1) / 3, rate = points / (4 * exaggeration);
        find_affinities(&s, x, width, settings.perplexity < most ? settings.perplexity : most,
                        distances);
        for (size_t k = 0; k < 2 * n; k++)
            s.gain[k] = 1;
        shrink(&s);
        for (int step = 0; step < settings.steps; step++) {
            const int early = step < settings.steps / 4;
            find_slopes(&s, early ? exaggeration : 1);
            move(&s, rate > 50 ? rate : 50, early ? 0.5 : 0.8);
        }
        *divergence = divergence_of(&s);
    }
    void *all[] = {s.p, distances, s.slope, s.speed, s.gain, s.mass};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
