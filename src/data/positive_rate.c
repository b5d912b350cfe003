#include "data/positive_rate.h"

#include <stdbool.h>

#include "base/long_tail.h"
#include "elmpi/memory.h"
#include "elmpi/partition.h"

/* What a class of the batch at hand looks like. Stamps tell which batch, or which rank of which
 * batch, wrote an entry, so that nothing has to be cleared for thousands of classes that do not
 * occur. */
typedef struct class_seen {
    int64_t batch, share;    /* stamps */
    int64_t images, on_rank; /* in the batch; on the rank that is being counted */
    int64_t ranks;           /* that hold it */
} class_seen;

static void see_share(class_seen *seen, const int32_t *labels, const int64_t *members,
                      elm_partition share, int64_t batch, int64_t stamp)
{
    for (int64_t i = share.first; i < share.first + share.local; i++) {
        class_seen *c = &seen[labels[members[i]]];
        if (c->batch != batch)
            *c = (class_seen){.batch = batch};
        if (c->share != stamp) {
            c->share = stamp;
            c->on_rank = 0;
            c->ranks++;
        }
        c->images++;
        c->on_rank++;
    }
}

/* After a rank's images have been seen, its classes tell how many of them it holds. */
static void count_rank(elm_positive_rate *coverage, const class_seen *seen, const elm_dataset *d,
                       const int64_t *members, elm_partition share)
{
    for (int64_t i = share.first; i < share.first + share.local; i++) {
        const int32_t label = d->labels[members[i]];
        coverage->rank[elm_class_group(d->class_count[label])] += seen[label].on_rank > 1;
    }
}

/* Images of the batch, and embeddings that travel: those of classes that several ranks hold. */
static int64_t count_global(elm_positive_rate *coverage, const class_seen *seen,
                            const elm_dataset *d, const int64_t *members, int64_t images)
{
    int64_t travel = 0;
    for (int64_t i = 0; i < images; i++) {
        const int32_t label = d->labels[members[i]];
        const int group = elm_class_group(d->class_count[label]);
        coverage->anchors[group]++;
        coverage->global[group] += seen[label].images > 1;
        travel += seen[label].ranks > 1;
    }
    return travel;
}

int elm_positive_rate_count(elm_positive_rate *coverage, const elm_dataset *dataset,
                            const int64_t *order, int64_t batch, int ranks, elm_error *err)
{
    if (batch < ranks)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "a batch of %lld images is smaller than the %d ranks (coverage): use a larger batch",
            (long long)batch, ranks);
    class_seen *seen = elm_alloc((size_t)dataset->info.classes, sizeof *seen, err);
    if (!seen)
        return -1;
    *coverage = (elm_positive_rate){0};
    int64_t travelled = 0, images = 0, stamp = 0;
    for (int64_t start = 0; start < dataset->count; start += batch) {
        const int64_t left = dataset->count - start, global = left < batch ? left : batch;
        coverage->batches++;
        for (int r = 0; r < ranks; r++) {
            const elm_partition share = elm_partition_of(global, ranks, r);
            see_share(seen, dataset->labels, order + start, share, coverage->batches, ++stamp);
            count_rank(coverage, seen, dataset, order + start, share);
        }
        travelled += count_global(coverage, seen, dataset, order + start, global);
        images += global;
    }
    coverage->rows_slices = coverage->batches ? (double)travelled / (double)coverage->batches : 0;
    coverage->rows_all = coverage->batches ? (double)images / (double)coverage->batches : 0;
    elm_free(seen);
    return 0;
}
