/* Threads: ranks that may run on the same cores divide them, however few of the host's cores
 * that are; and failures of MPI come back from every communicator, so that elm_mpi_check can
 * name the place. */
#define _GNU_SOURCE /* sched_setaffinity */
#include <mpi.h>
#include <sched.h>
#include <stdlib.h>

#include "base/cpu/threads.h"
#include "ranks.h"

/* Odd ranks on the second core, even ones on the first; before MPI starts, as mpirun does it, so
 * only the launcher can tell the rank. */
static bool pin(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
    const char *rank = NULL;
    for (size_t i = 0; !rank && i < sizeof names / sizeof *names; i++)
        rank = getenv(names[i]);
    cpu_set_t mask;
    if (!rank || sched_getaffinity(0, sizeof mask, &mask) || !CPU_ISSET(0, &mask) ||
        !CPU_ISSET(1, &mask))
        return false;
    CPU_ZERO(&mask);
    CPU_SET(atoi(rank) % 2, &mask);
    return !sched_setaffinity(0, sizeof mask, &mask);
}

static bool pinned;

static void sharers_are_counted(void)
{
    const int size = elm_comm_size(comm), odd = elm_comm_rank(comm) % 2,
              all = elm_comm_local_size(comm);
    check(all == size);
    check(elm_comm_core_sharers(comm) == (pinned ? (size + !odd) / 2 : size));
}

static void sharers_divide(void)
{
    const int allowed = elm_threads_allowed();
    unsetenv("OMP_NUM_THREADS");
    check(elm_threads_resolve(3, 2) == 3);
    check(elm_threads_resolve(0, 1) == allowed);
    check(elm_threads_resolve(0, 2) == (allowed > 1 ? allowed / 2 : 1));
    check(elm_threads_resolve(0, 10000) == 1);
}

static void failures_come_back(void)
{
    MPI_Errhandler handler;
    MPI_Comm_get_errhandler(MPI_COMM_WORLD, &handler);
    check(handler == MPI_ERRORS_RETURN);
    MPI_Errhandler_free(&handler);
}

static void all_tests(void)
{
    sharers_are_counted();
    sharers_divide();
    failures_come_back();
}

int main(int argc, char **argv)
{
    pinned = pin();
    return run_on_ranks(argc, argv, "threads", all_tests);
}
