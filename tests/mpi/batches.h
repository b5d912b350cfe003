/* Global batches for the tests of the class gather and of the pull term: every rank makes the
 * whole batch for itself, so that it can check what it gets without asking. */
#ifndef ELMPI_TESTS_BATCHES_H
#define ELMPI_TESTS_BATCHES_H

#include <math.h>
#include <stdint.h>

#include "golden/pseudo.h"

enum { BATCH_MAX = 127, BATCH_CLASSES = 9 };

/** Sizes that no number of ranks shares evenly, down to batches with fewer images than ranks. */
static const int64_t batch_sizes[] = {127, 41, 5, 2, 1, 8};
enum { BATCH_SIZES = sizeof batch_sizes / sizeof batch_sizes[0] };

typedef enum batch_kind {
    BATCH_LONG_TAIL, /* many images of the first classes, few or none of the last */
    BATCH_ONE_CLASS,
    BATCH_SORTED,        /* by class: neighbors share a rank, few classes are spread */
    BATCH_ALL_DIFFERENT, /* as far as there are classes */
    BATCH_KINDS
} batch_kind;

static inline void batch_labels(int32_t *labels, int64_t global, batch_kind kind, uint32_t stream)
{
    for (int64_t i = 0; i < global; i++) {
        const double u = fabs((double)pseudo(stream, (uint32_t)i));
        labels[i] = kind == BATCH_LONG_TAIL   ? (int32_t)(u * u * BATCH_CLASSES)
                    : kind == BATCH_ONE_CLASS ? 3
                    : kind == BATCH_SORTED    ? (int32_t)(i * BATCH_CLASSES / global)
                                              : (int32_t)(i % BATCH_CLASSES);
    }
}

#endif
