#include "data/sampling/subset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/long_tail.h"
#include "data/sampling/numpy_random.h"
#include "elmpi/memory.h"

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* Positions by class, ascending within each: starts [classes + 1], positions [count]. */
static void sort_by_class(const int32_t *labels, int64_t count, int classes, int64_t *starts,
                          int64_t *positions)
{
    for (int64_t i = 0; i < count; i++)
        starts[labels[i] + 1]++;
    for (int c = 0; c < classes; c++)
        starts[c + 1] += starts[c];
    /* leaves starts[c] at the end of class c, the start of c + 1 */
    for (int64_t i = 0; i < count; i++)
        positions[starts[labels[i]]++] = i;
    memmove(starts + 1, starts, (size_t)classes * sizeof *starts);
    starts[0] = 0;
}

static int check_profile(const int64_t *starts, int64_t count, int classes, double rho,
                         elm_error *err)
{
    for (int c = 0; c < classes; c++) {
        const int64_t has = starts[c + 1] - starts[c];
        const int64_t wanted = elm_long_tail_count((double)count / classes, rho, c, classes);
        if (wanted > has)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "class %d has %lld images but the long tail takes %lld "
                                 "(data.imbalance = %g): the training set is not balanced; "
                                 "set data.imbalance = 0 to take it as it is",
                                 c, (long long)has, (long long)wanted, rho);
        if (wanted == 0)
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "class %d would be left without an image (data.imbalance = %g): choose at most %g",
                c, rho, (double)count / classes);
    }
    return 0;
}

/* Shuffles every class, also what is not kept of it: the random stream runs on from class to
 * class. */
static int64_t draw_members(const int64_t *starts, int64_t *positions, int64_t count, int classes,
                            double rho, int64_t *members)
{
    elm_numpy_random random;
    elm_numpy_seed(&random, 0);
    int64_t kept = 0;
    for (int c = 0; c < classes; c++) {
        int64_t *own = positions + starts[c];
        const int64_t wanted = elm_long_tail_count((double)count / classes, rho, c, classes);
        elm_numpy_shuffle(&random, own, starts[c + 1] - starts[c]);
        memcpy(members + kept, own, (size_t)wanted * sizeof *members);
        kept += wanted;
    }
    qsort(members, (size_t)kept, sizeof *members, ascending);
    return kept;
}

int elm_subset_long_tail(const int32_t *labels, int64_t count, int classes, double rho,
                         int64_t **members, int64_t *member_count, elm_error *err)
{
    *members = NULL;
    *member_count = 0;
    if (!(rho >= 1) || !isfinite(rho))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "bad imbalance ratio %g (data.imbalance): give n_max / n_min, 1 or "
                             "more, or 0 for all images",
                             rho);
    int64_t *starts = elm_alloc((size_t)classes + 1, sizeof *starts, err);
    int64_t *positions = starts != NULL ? elm_alloc((size_t)count, sizeof *positions, err) : NULL;
    int64_t *kept = positions != NULL ? elm_alloc((size_t)count, sizeof *kept, err) : NULL;
    int status = -1;
    if (kept != NULL) {
        sort_by_class(labels, count, classes, starts, positions);
        status = check_profile(starts, count, classes, rho, err);
    }
    if (status == 0) {
        *member_count = draw_members(starts, positions, count, classes, rho, kept);
        *members = kept;
        kept = NULL;
    }
    elm_free(kept);
    elm_free(positions);
    elm_free(starts);
    return status;
}
