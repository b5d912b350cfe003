/* Gradient sum: buckets of uneven sizes, posted in portions, at different times on different
 * ranks, over several steps. */
#include <math.h>
#include <stdlib.h>

#include "comm/gradient_sum.h"
#include "golden/pseudo.h"
#include "mpi/ranks.h"

/* Parameters of very different sizes; the block ends with a large one, as an FC layer makes it. */
static const int64_t starts[] = {0, 3, 700, 701, 1500, 1530, 5000, 5001, 5002};
enum { PARAMETERS = sizeof starts / sizeof starts[0], COUNT = 12000 };

static float gradient(int rank, int step, int64_t i)
{
    return pseudo((uint32_t)(rank * 100 + step), (uint32_t)i);
}

static void check_sums(const float *gradients, int step, elm_compression compress)
{
    const int size = elm_comm_size(comm);
    for (int64_t i = 0; i < COUNT; i++) {
        double sum = 0;
        for (int r = 0; r < size; r++)
            sum += (double)gradient(r, step, i);
        /* bf16 rounds each rank's number, and the sum once more, to 8 significant bits. */
        check(fabs((double)gradients[i] - sum) <=
              (compress == ELM_COMPRESS_BF16 && size > 1 ? 3 * ldexp(size, -9) : 1e-6 * size));
    }
    /* Replicas of the network stay equal only if the sums are, to the bit. */
    check_same(gradients, COUNT * sizeof *gradients);
}

/* As a backward pass does it: the parameters become final from the last to the first. Each rank
 * skips other announcements and polls at other times. */
static void announce(elm_gradient_sum *sum, float *gradients, int step)
{
    const int rank = elm_comm_rank(comm);
    int64_t end = COUNT;
    for (int p = PARAMETERS - 1; p >= 0; p--) {
        for (int64_t i = starts[p]; i < end; i++)
            /* written only now: a bucket that left early carries old values */
            gradients[i] = gradient(rank, step, i);
        end = starts[p];
        if ((p + rank + step) % 3 != 0)
            elm_gradient_sum_ready_all(sum, starts[p]);
        for (int k = 0; k < (rank + p) % 4; k++)
            elm_gradient_sum_poll(sum);
    }
}

static void sums_with_buckets_of(int64_t bucket_kib, elm_compression compress, int buckets_expected)
{
    float *gradients = calloc(COUNT, sizeof *gradients);
    elm_gradient_sum *sum = NULL;
    elm_error err = {0};
    check(gradients != NULL);
    const elm_comm_options options = {.compress = (int)compress, .bucket_kib = bucket_kib};
    check(elm_gradient_sum_create_all(&sum, comm, gradients, COUNT, starts, PARAMETERS, &options,
                                      &err) == 0);
    check(elm_gradient_sum_buckets(sum) == buckets_expected);
    for (int step = 0; step < 5; step++) {
        for (int i = 0; i < COUNT; i++)
            gradients[i] = NAN;
        const int64_t calls = elm_alloc_calls();
        announce(sum, gradients, step);
        if (step % 2 == 0)
            elm_gradient_sum_ready_all(sum, 0);
        const double seconds = elm_gradient_sum_wait_all(sum); /* posts what nobody announced */
        check(seconds >= 0 && seconds < 60);
        check(elm_alloc_calls() == calls);
        check_sums(gradients, step, compress);
    }
    elm_gradient_sum_destroy(sum);
    free(gradients);
}

static void tests(void)
{
    for (int compress = ELM_COMPRESS_NONE; compress <= ELM_COMPRESS_BF16; compress++) {
        sums_with_buckets_of(0, (elm_compression)compress, PARAMETERS); /* each parameter alone */
        /* of at least 1024 floats: from 5002, 1530, 3, and what is left */
        sums_with_buckets_of(4, (elm_compression)compress, 4);
        sums_with_buckets_of(47, (elm_compression)compress, 1); /* all in one */
        sums_with_buckets_of(1 << 20, (elm_compression)compress, 1);
    }
    elm_gradient_sum_destroy(NULL);
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "the gradient sum", tests);
}
