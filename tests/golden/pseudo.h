/* Numbers that the golden tests and their PyTorch generators both make for themselves: uniform in [-1, 1), from an integer hash. */
#ifndef ELMPI_TESTS_PSEUDO_H
#define ELMPI_TESTS_PSEUDO_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

static inline float pseudo(uint32_t stream, uint32_t i)
{
    uint32_t h = i * 2654435761u + stream * 2246822519u + 374761393u;
    h ^= h >> 15;
    h *= 2246822519u;
    h ^= h >> 13;
    h *= 3266489917u;
    h ^= h >> 16;
    return (float)((double)h / 2147483648.0 - 1);
}

static inline void pseudo_fill(float *x, size_t count, uint32_t stream, float scale, float offset)
{
    for (size_t i = 0; i < count; i++)
        x[i] = offset + scale * pseudo(stream, (uint32_t)i);
}

/* A tensor is compared by its products with three pseudo-random directions and by its length. */
enum { GOLDEN_VALUES = 4 };

typedef struct golden {
    const char *name;
    double value[GOLDEN_VALUES];
} golden;

static inline void golden_measure(const float *x, size_t count, double value[GOLDEN_VALUES])
{
    for (int d = 0; d < GOLDEN_VALUES; d++)
        value[d] = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t d = 0; d < 3; d++)
            value[d] += (double)x[i] * (double)pseudo(1000 + d, (uint32_t)i);
        value[3] += (double)x[i] * (double)x[i];
    }
    value[3] = sqrt(value[3]);
}

/* Largest difference, relative to the tensor's length. */
static inline double golden_error(const golden *expected, const float *x, size_t count)
{
    double value[GOLDEN_VALUES], worst = 0;
    golden_measure(x, count, value);
    for (int d = 0; d < GOLDEN_VALUES; d++)
        worst = fmax(worst, fabs(value[d] - expected->value[d]) / (expected->value[3] + 1e-12));
    return worst;
}

#endif
