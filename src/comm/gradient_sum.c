#include "elmpi/gradient_sum.h"

#include <limits.h>

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

struct elm_gradient_sum {
    elm_comm *comm;
    float *gradients;
    int64_t count;
    int buckets, posted;
    int64_t *first;        /* [buckets] where each begins, descending: bucket 0 ends the block */
    MPI_Request *requests; /* [buckets] */
    elm_timeline *timeline;
    double *left; /* [buckets] when it was posted, if there is a timeline */
};

void elm_gradient_sum_destroy(elm_gradient_sum *sum)
{
    if (!sum)
        return;
    elm_free(sum->first);
    elm_free(sum->requests);
    elm_free(sum->left);
    elm_free(sum);
}

/* Buckets of at least `least` floats, whole parameters each, from the end of the block. */
static int cut(elm_gradient_sum *sum, const int64_t *starts, int parameters, int64_t least, elm_error *err)
{
    int64_t end = sum->count;
    for (int p = parameters - 1; p >= 0; p--) {
        if (end - starts[p] < least && p > 0)
            continue;
        if (end - starts[p] > INT_MAX)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "a gradient message of %lld values is more than MPI counts (gradient sum): use a smaller layer or bucket",
                                 (long long)(end - starts[p]));
        sum->requests[sum->buckets] = MPI_REQUEST_NULL;
        sum->first[sum->buckets++] = end = starts[p];
    }
    return 0;
}

static int create(elm_gradient_sum **out, elm_comm *comm, float *gradients, int64_t count, const int64_t *starts, int parameters,
                  size_t bucket_bytes, elm_error *err)
{
    elm_gradient_sum *sum = *out = elm_alloc(1, sizeof *sum, err);
    if (!sum)
        return -1;
    *sum = (elm_gradient_sum){.comm = comm, .gradients = gradients, .count = count};
    sum->first = elm_alloc((size_t)parameters, sizeof *sum->first, err);
    sum->requests = sum->first ? elm_alloc((size_t)parameters, sizeof *sum->requests, err) : NULL;
    sum->left = sum->requests ? elm_alloc((size_t)parameters, sizeof *sum->left, err) : NULL;
    return sum->left ? cut(sum, starts, parameters, (int64_t)(bucket_bytes / sizeof *gradients), err) : -1;
}

int elm_gradient_sum_create_all(elm_gradient_sum **out, elm_comm *comm, float *gradients, int64_t count, const int64_t *starts,
                                int parameters, size_t bucket_bytes, elm_error *err)
{
    if (!elm_comm_agree_all(comm, create(out, comm, gradients, count, starts, parameters, bucket_bytes, err), err))
        return 0;
    elm_gradient_sum_destroy(*out);
    *out = NULL;
    return -1;
}

void elm_gradient_sum_ready_all(elm_gradient_sum *sum, int64_t first)
{
    while (sum->comm->size > 1 && sum->posted < sum->buckets && sum->first[sum->posted] >= first) {
        const int b = sum->posted++;
        sum->left[b] = elm_timeline_now(sum->timeline);
        ELM_MPI(MPI_Iallreduce(MPI_IN_PLACE, sum->gradients + sum->first[b], elm_mpi_count(elm_gradient_sum_bucket_count(sum, b)),
                               MPI_FLOAT, MPI_SUM, sum->comm->gradient, &sum->requests[b]));
    }
}

void elm_gradient_sum_set_timeline(elm_gradient_sum *sum, elm_timeline *timeline)
{
    sum->timeline = timeline;
}

static void arrived(const elm_gradient_sum *sum, int b)
{
    elm_timeline_add(sum->timeline, (elm_event){.track = ELM_TRACK_MESSAGES,
                                                .name = "allreduce",
                                                .part = "bucket",
                                                .begin = sum->left[b],
                                                .end = elm_timeline_now(sum->timeline),
                                                .bytes = (double)elm_gradient_sum_bucket_count(sum, b) * sizeof(float)});
}

void elm_gradient_sum_poll(elm_gradient_sum *sum)
{
    for (int b = 0; b < sum->posted; b++) {
        int done = 0;
        if (sum->requests[b] == MPI_REQUEST_NULL)
            continue;
        ELM_MPI(MPI_Test(&sum->requests[b], &done, MPI_STATUS_IGNORE));
        if (done)
            arrived(sum, b);
    }
}

double elm_gradient_sum_wait_all(elm_gradient_sum *sum)
{
    const double begun = elm_comm_seconds();
    elm_gradient_sum_ready_all(sum, 0);
    for (int b = 0; b < sum->posted; b++) {
        if (sum->requests[b] == MPI_REQUEST_NULL)
            continue;
        ELM_MPI(MPI_Wait(&sum->requests[b], MPI_STATUS_IGNORE));
        arrived(sum, b);
    }
    sum->posted = 0;
    return elm_comm_seconds() - begun;
}

int elm_gradient_sum_buckets(const elm_gradient_sum *sum)
{
    return sum->buckets;
}

int64_t elm_gradient_sum_bucket_count(const elm_gradient_sum *sum, int b)
{
    return (b ? sum->first[b - 1] : sum->count) - sum->first[b];
}
