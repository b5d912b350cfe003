/* Class gather: who gets which rows, against a list made from the labels alone, for all modes,
 * sizes and kinds of batches. */
#include <stdlib.h>
#include <string.h>

#include "comm/class_gather.h"
#include "mpi/batches.h"
#include "mpi/ranks.h"

enum { WIDTH = 5 };

static float value(int64_t position, int k, int step)
{
    return (float)(position * 100 + k * 10 + step);
}

static int owner_of(int64_t position, int64_t global)
{
    for (int r = 0;; r++) {
        const elm_partition share = elm_partition_of(global, elm_comm_size(comm), r);
        if (position < share.first + share.local)
            return r;
    }
}

static bool holds(int rank, const int32_t *labels, int64_t global, int32_t label)
{
    const elm_partition share = elm_partition_of(global, elm_comm_size(comm), rank);
    for (int64_t i = share.first; i < share.first + share.local; i++)
        if (labels[i] == label)
            return true;
    return false;
}

static bool wanted(elm_gather_mode mode, const int32_t *labels, int64_t global, int64_t position)
{
    const int me = elm_comm_rank(comm);
    if (mode == ELM_GATHER_NONE || owner_of(position, global) == me)
        return false;
    return mode == ELM_GATHER_ALL || holds(me, labels, global, labels[position]);
}

/* Our rows that somebody else has a use for. */
static int64_t expected_sent(elm_gather_mode mode, const int32_t *labels, int64_t global)
{
    const int size = elm_comm_size(comm), me = elm_comm_rank(comm);
    const elm_partition share = elm_partition_of(global, size, me);
    int64_t sent = 0;
    for (int64_t i = share.first; i < share.first + share.local && size > 1; i++) {
        bool elsewhere = mode == ELM_GATHER_ALL;
        for (int r = 0; r < size && mode == ELM_GATHER_SLICES; r++)
            elsewhere = elsewhere || (r != me && holds(r, labels, global, labels[i]));
        sent += elsewhere;
    }
    return sent;
}

static void check_rows(elm_gathered got, elm_gather_mode mode, const int32_t *labels,
                       int64_t global, int step)
{
    int row = 0;
    for (int64_t i = 0; i < global; i++) {
        if (!wanted(mode, labels, global, i))
            continue;
        check(row < got.rows);
        check(got.position[row] == i);
        check(got.labels[row] == labels[i]);
        for (int k = 0; k < WIDTH; k++)
            check(got.embeddings[row * WIDTH + k] == value(i, k, step));
        row++;
    }
    check(row == got.rows);
}

static void gather_once(elm_class_gather *gather, elm_gather_mode mode, int64_t global,
                        batch_kind kind, int step)
{
    const elm_partition share = elm_partition_of(global, elm_comm_size(comm), elm_comm_rank(comm));
    int32_t labels[BATCH_MAX], kept[BATCH_MAX];
    float embeddings[BATCH_MAX * WIDTH];
    batch_labels(labels, global, kind, (uint32_t)step);
    memcpy(kept, labels, sizeof kept);
    for (int i = 0; i < share.local; i++)
        for (int k = 0; k < WIDTH; k++)
            embeddings[i * WIDTH + k] = value(share.first + i, k, step);
    const int64_t calls = elm_alloc_calls();
    elm_class_gather_post_all(gather, labels, share, embeddings);
    /* Both are the caller's again. */
    memset(embeddings, 0xff, sizeof embeddings);
    memset(labels, 0xff, sizeof labels);
    for (int k = 0; k < (elm_comm_rank(comm) + step) % 3; k++)
        elm_class_gather_poll(gather);
    const elm_gathered got = elm_class_gather_wait_all(gather);
    check(elm_alloc_calls() == calls);
    check_rows(got, mode, kept, global, step);
    check(elm_class_gather_rows_sent(gather) == expected_sent(mode, kept, global));
}

static void every_batch_in_mode(elm_gather_mode mode)
{
    elm_class_gather *gather = NULL;
    elm_error err = {0};
    int step = 0;
    check(elm_class_gather_create_all(&gather, comm, mode, WIDTH, BATCH_MAX, BATCH_CLASSES, &err) ==
          0);
    for (int round = 0; round < 3; round++)
        for (int s = 0; s < BATCH_SIZES; s++)
            for (batch_kind kind = 0; kind < BATCH_KINDS; kind++)
                gather_once(gather, mode, batch_sizes[s], kind, step++);
    elm_class_gather_poll(gather); /* nothing is under way */
    elm_class_gather_destroy(gather);
}

/* Slices are worth the name: where no class is spread nothing travels, and never more than
 * everything. */
static void slices_save_traffic(void)
{
    const int size = elm_comm_size(comm), rank = elm_comm_rank(comm);
    elm_class_gather *gather = NULL;
    elm_error err = {0};
    int32_t labels[8];
    static const float embeddings[8 * WIDTH];
    check(elm_class_gather_create_all(&gather, comm, ELM_GATHER_SLICES, WIDTH, 8, BATCH_CLASSES,
                                      &err) == 0);
    for (int i = 0; i < 8; i++)
        labels[i] = owner_of(i, 8);
    elm_class_gather_post_all(gather, labels, elm_partition_of(8, size, rank), embeddings);
    check(elm_class_gather_wait_all(gather).rows == 0);
    check(elm_class_gather_rows_sent(gather) == 0);
    elm_class_gather_destroy(gather);
    elm_class_gather_destroy(NULL);
}

static void tests(void)
{
    every_batch_in_mode(ELM_GATHER_SLICES);
    every_batch_in_mode(ELM_GATHER_ALL);
    every_batch_in_mode(ELM_GATHER_NONE);
    slices_save_traffic();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "the class gather", tests);
}
