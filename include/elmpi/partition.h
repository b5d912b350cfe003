/* Partition: a count cut into consecutive shares, one a rank, whose sizes differ by one at most. */
#ifndef ELMPI_PARTITION_H
#define ELMPI_PARTITION_H

#include <stdint.h>

/** First index of share `part` of `count` things cut into `parts` shares; the first count %
 * parts shares hold one more. elm_partition_begin(count, parts, parts) is count. */
static inline int64_t elm_partition_begin(int64_t count, int parts, int part)
{
    const int64_t base = count / parts, extra = count % parts;
    return base * part + (part < extra ? part : extra);
}

/** Where a rank's images stand in the global batch. */
typedef struct elm_partition {
    int64_t global; /* images of the global batch */
    int64_t first;  /* position of this rank's first image */
    int local;      /* images of this rank; may be 0 */
    int size;       /* ranks that share the batch */
} elm_partition;

static inline elm_partition elm_partition_of(int64_t global, int size, int rank)
{
    const int64_t first = elm_partition_begin(global, size, rank);
    return (elm_partition){global, first,
                           (int)(elm_partition_begin(global, size, rank + 1) - first), size};
}

#endif
