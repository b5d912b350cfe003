/* Reducer: the callbacks through which local mathematics (synchronized BatchNorm) gets global
 * sums without knowing MPI. */
#ifndef ELMPI_REDUCE_H
#define ELMPI_REDUCE_H

/** Mean and sum of squared deviations of `count` values. Two are merged by Chan, Golub, LeVeque
 * (1979). */
typedef struct elm_moments {
    double count, mean, m2;
} elm_moments;

/** Moments of the union of two sets. Symmetric to the bit: merge(a, b) == merge(b, a), so that
 * any reduction tree over the same ranks gives all of them the same bits. */
static inline elm_moments elm_moments_merge(elm_moments a, elm_moments b)
{
    /* The two take places of their own first: a compiler may fuse one of two products with their
     * sum, and then x + y and y + x differ in the last bit. */
    if (a.mean > b.mean || (a.mean == b.mean && a.count > b.count)) {
        const elm_moments other = a;
        a = b;
        b = other;
    }
    const double count = a.count + b.count;
    if (count == 0)
        return (elm_moments){0, 0, 0};
    const double delta = a.mean - b.mean;
    return (elm_moments){count, (a.count * a.mean + b.count * b.mean) / count,
                         (a.m2 + b.m2) + delta * delta * (a.count * b.count / count)};
}

/** Collective on every rank of the communicator behind `context`, in place, the same `count`
 * everywhere, the same bits returned to all.
 *  Errors: MPI failures abort. */
typedef struct elm_reducer {
    void (*merge_moments_all)(void *context, elm_moments *values, int count);
    void (*sum_all)(void *context, double *values, int count);
    void *context;
} elm_reducer;

#endif
