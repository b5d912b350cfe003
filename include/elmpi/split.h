/* Split: how a count of things is dealt to ranks in consecutive shares that differ by one at
 * most. */
#ifndef ELMPI_SPLIT_H
#define ELMPI_SPLIT_H

#include <stdint.h>

/** First index of share `part` of `count` things cut into `parts` shares; the first count %
 * parts shares hold one more. elm_split_begin(count, parts, parts) is count. */
static inline int64_t elm_split_begin(int64_t count, int parts, int part)
{
    const int64_t base = count / parts, extra = count % parts;
    return base * part + (part < extra ? part : extra);
}

/** Where a rank's images stand in the global batch. */
typedef struct elm_share {
    int64_t global; /* images of the global batch */
    int64_t first;  /* position of this rank's first image */
    int local;      /* images of this rank; may be 0 */
    int size;       /* ranks that share the batch */
} elm_share;

static inline elm_share elm_share_of(int64_t global, int size, int rank)
{
    const int64_t first = elm_split_begin(global, size, rank);
    return (elm_share){global, first, (int)(elm_split_begin(global, size, rank + 1) - first), size};
}

#endif
