/* Deal: every row arrives once, at the rank it was for, in order; empty shares; rows that are
 * not a multiple of a word. */
#include "comm/redistribute.h"

#include "mpi/ranks.h"

typedef struct row {
    int32_t from, number, to;
    char odd[3];
} __attribute__((packed)) row;

/* Rank r has 10 r rows; row i goes to rank (i^2 + r) % size. */
static void spread(void)
{
    enum { EACH = 10 };
    const int rank = elm_comm_rank(comm), size = elm_comm_size(comm), count = EACH * rank;
    elm_error err = {0};
    row *rows = elm_alloc((size_t)count, sizeof *rows, &err), *got = NULL;
    int *to = elm_alloc((size_t)count, sizeof *to, &err);
    int64_t received = -1, all = 0;
    check(rows != NULL && to != NULL);
    for (int i = 0; i < count; i++) {
        to[i] = (i * i + rank) % size;
        rows[i] = (row){rank, i, to[i], {'a', 'b', (char)('a' + i % 26)}};
    }
    check(elm_comm_redistribute_all(comm, rows, sizeof *rows, to, count, (void **)&got, &received,
                                    &err) == 0);
    for (int64_t i = 0; i < received; i++) {
        check(got[i].to == rank && got[i].odd[2] == 'a' + got[i].number % 26);
        if (i > 0)
            check(got[i].from > got[i - 1].from ||
                  (got[i].from == got[i - 1].from && got[i].number > got[i - 1].number));
    }
    all = received;
    elm_comm_sum_counts_all(comm, &all, 1);
    check(all == EACH * size * (size - 1) / 2);
    elm_free(got);
    elm_free(rows);
    elm_free(to);
}

static void nothing(void)
{
    elm_error err = {0};
    void *got = NULL;
    int64_t received = -1;
    check(elm_comm_redistribute_all(comm, NULL, 8, NULL, 0, &got, &received, &err) == 0);
    check(received == 0);
    elm_free(got);
}

static void tests(void)
{
    spread();
    nothing();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "deal", tests);
}
