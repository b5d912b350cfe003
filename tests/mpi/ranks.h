/* For programs that run on several ranks: a failed check ends the job at once, since the other
 * ranks may be waiting in a collective. */
#ifndef ELMPI_TESTS_RANKS_H
#define ELMPI_TESTS_RANKS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/comm.h"
#include "elmpi/memory.h"

static elm_comm *comm;

#define check(condition) check_at((condition), #condition, __FILE__, __LINE__)

static inline void check_at(bool holds, const char *condition, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "rank %d, %s:%d: %s does not hold\n", elm_comm_rank(comm), file, line,
            condition);
    elm_comm_abort(comm, 1);
}

/** Every rank holds what rank 0 holds, to the bit. */
static inline void check_same(const void *bytes, size_t size_bytes)
{
    elm_error err = {0};
    char *first = elm_alloc(size_bytes, 1, &err);
    check(first != NULL);
    memcpy(first, bytes, size_bytes);
    elm_comm_broadcast_all(comm, first, size_bytes);
    check(!memcmp(first, bytes, size_bytes));
    elm_free(first);
}

/** Runs the tests between start and finish, and looks for what they left behind. */
static inline int run_on_ranks(int argc, char **argv, const char *what, void (*tests)(void))
{
    elm_error err = {0};
    if (elm_comm_start_all(&comm, &argc, &argv, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const int64_t live = elm_alloc_live();
    tests();
    check(elm_alloc_live() == live);
    if (elm_comm_rank(comm) == 0)
        printf("%s on %d ranks: as it should be\n", what, elm_comm_size(comm));
    elm_comm_finish_all(comm);
    return 0;
}

#endif
