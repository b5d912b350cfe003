#include "analysis/class_order.h"

#include <stdlib.h>

#include "elmpi/memory.h"

typedef struct counted {
    int64_t count;
    int class;
} counted;

static int by_count(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : x->class - y->class;
}

int elm_class_order(int *order, const int64_t *count, int classes, elm_error *err)
{
    counted *sorted = elm_alloc((size_t)classes, sizeof *sorted, err);
    if (sorted == NULL)
        return -1;
    for (int c = 0; c < classes; c++)
        sorted[c] = (counted){count[c], c};
    qsort(sorted, (size_t)classes, sizeof *sorted, by_count);
    for (int c = 0; c < classes; c++)
        order[c] = sorted[c].class;
    elm_free(sorted);
    return 0;
}
