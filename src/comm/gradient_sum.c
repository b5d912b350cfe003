#include "comm/gradient_sum.h"

#include <limits.h>
#include <stdbool.h>

#include "base/cpu/bf16.h"
#include "base/process/clock.h"
#include "comm/compressor.h"
#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

struct elm_gradient_sum {
    elm_comm *comm;
    float *gradients;
    int64_t count;
    int buckets, posted;
    /* [buckets] where each begins, descending: bucket 0 ends the block */
    int64_t *first;
    int64_t *floats;            /* [buckets] in each */
    MPI_Request *requests;      /* [buckets] */
    elm_compressor *compressor; /* in their stead; NULL: fp32 travels */
    elm_timeline *timeline;
    double *left; /* [buckets] when it was posted, if there is a timeline */
};

void elm_gradient_sum_destroy(elm_gradient_sum *sum)
{
    if (!sum)
        return;
    elm_compressor_destroy(sum->compressor);
    elm_free(sum->first);
    elm_free(sum->floats);
    elm_free(sum->requests);
    elm_free(sum->left);
    elm_free(sum);
}

/* Buckets of at least `least` floats, whole parameters each, from the end of the block. */
static int cut(elm_gradient_sum *sum, const int64_t *starts, int parameters, int64_t least,
               elm_error *err)
{
    int64_t end = sum->count;
    for (int p = parameters - 1; p >= 0; p--) {
        if (end - starts[p] < least && p > 0)
            continue;
        if (end - starts[p] > INT_MAX)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "a gradient message of %lld values is more than MPI counts "
                                 "(gradient sum): use a smaller layer or bucket",
                                 (long long)(end - starts[p]));
        sum->requests[sum->buckets] = MPI_REQUEST_NULL;
        sum->floats[sum->buckets] = end - starts[p];
        sum->first[sum->buckets++] = end = starts[p];
    }
    return 0;
}

static int create(elm_gradient_sum **out, elm_comm *comm, float *gradients, int64_t count,
                  const int64_t *starts, int parameters, const elm_comm_options *options,
                  elm_error *err)
{
    elm_gradient_sum *sum = *out = elm_alloc(1, sizeof *sum, err);
    if (!sum)
        return -1;
    *sum = (elm_gradient_sum){.comm = comm, .gradients = gradients, .count = count};
    const elm_need needs[] = {{&sum->first, (size_t)parameters, sizeof *sum->first},
                              {&sum->floats, (size_t)parameters, sizeof *sum->floats},
                              {&sum->requests, (size_t)parameters, sizeof *sum->requests},
                              {&sum->left, (size_t)parameters, sizeof *sum->left}};
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) ||
        cut(sum, starts, parameters, options->bucket_kib * (1024 / (int64_t)sizeof *gradients),
            err))
        return -1;
    if (options->compress == ELM_COMPRESS_NONE || comm->size == 1)
        return 0;
    return elm_compressor_create(&sum->compressor, comm, gradients, sum->buckets, sum->first,
                                 sum->floats, err);
}

int elm_gradient_sum_create_all(elm_gradient_sum **out, elm_comm *comm, float *gradients,
                                int64_t count, const int64_t *starts, int parameters,
                                const elm_comm_options *options, elm_error *err)
{
    if (!elm_comm_agree_all(
            comm, create(out, comm, gradients, count, starts, parameters, options, err), err))
        return 0;
    elm_gradient_sum_destroy(*out);
    *out = NULL;
    return -1;
}

static void arrived(void *context, int b)
{
    const elm_gradient_sum *sum = context;
    const size_t size = sum->compressor ? sizeof(elm_bf16) : sizeof(float);
    elm_timeline_add(sum->timeline, (elm_event){.track = ELM_TRACK_MESSAGES,
                                                .name = "allreduce",
                                                .part = "bucket",
                                                .begin = sum->left[b],
                                                .end = elm_timeline_now(sum->timeline),
                                                .bytes = (double)sum->floats[b] * (double)size});
}

void elm_gradient_sum_ready_all(elm_gradient_sum *sum, int64_t first)
{
    while (sum->posted < sum->buckets && sum->first[sum->posted] >= first) {
        const int b = sum->posted++;
        sum->left[b] = elm_timeline_now(sum->timeline);
        if (sum->comm->size == 1)
            /* there is no other rank, but the timeline records when the bucket was full */
            arrived(sum, b);
        else if (sum->compressor)
            elm_compressor_post_all(sum->compressor, b);
        else
            ELM_MPI(MPI_Iallreduce(MPI_IN_PLACE, sum->gradients + sum->first[b],
                                   elm_mpi_count(sum->floats[b]), MPI_FLOAT, MPI_SUM,
                                   sum->comm->gradient, &sum->requests[b]));
    }
}

void elm_gradient_sum_set_timeline(elm_gradient_sum *sum, elm_timeline *timeline)
{
    sum->timeline = timeline;
}

/* Moves messages on; with `wait`, to their end. */
static void advance(elm_gradient_sum *sum, bool wait)
{
    if (sum->compressor) {
        elm_compressor_advance(sum->compressor, wait, arrived, sum);
        return;
    }
    for (int b = 0; b < sum->posted; b++) {
        int done = 1;
        if (sum->requests[b] == MPI_REQUEST_NULL)
            continue;
        if (wait)
            ELM_MPI(MPI_Wait(&sum->requests[b], MPI_STATUS_IGNORE));
        else
            ELM_MPI(MPI_Test(&sum->requests[b], &done, MPI_STATUS_IGNORE));
        if (done)
            arrived(sum, b);
    }
}

void elm_gradient_sum_poll(elm_gradient_sum *sum)
{
    advance(sum, false);
}

double elm_gradient_sum_wait_all(elm_gradient_sum *sum)
{
    const double begun = elm_clock_seconds();
    elm_gradient_sum_ready_all(sum, 0);
    advance(sum, true);
    sum->posted = 0;
    return elm_clock_seconds() - begun;
}

int elm_gradient_sum_buckets(const elm_gradient_sum *sum)
{
    return sum->buckets;
}

int64_t elm_gradient_sum_bucket_count(const elm_gradient_sum *sum, int b)
{
    return sum->floats[b];
}
