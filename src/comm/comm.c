#include "elmpi/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu/threads.h"
#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

enum { CHUNK = 1 << 28 }; /* elements a call: below what an int counts, also in bytes of 8 */

static void duplicate(elm_comm *comm)
{
    MPI_Comm *const copies[] = {&comm->world, &comm->norm, &comm->gradient, &comm->spread,
                                &comm->gather};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        ELM_MPI(MPI_Comm_dup(MPI_COMM_WORLD, copies[i]));
        ELM_MPI(MPI_Comm_set_errhandler(*copies[i], MPI_ERRORS_RETURN));
    }
}

/* Who else is on this host, and on the same cores. */
static void find_local_ranks_all(elm_comm *comm)
{
    enum { MASK_SIZE = 128 }; /* 1024 cores */
    unsigned char mine[MASK_SIZE], theirs[MASK_SIZE];
    MPI_Comm host;
    ELM_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    ELM_MPI(MPI_Comm_set_errhandler(host, MPI_ERRORS_RETURN));
    ELM_MPI(MPI_Comm_rank(host, &comm->local_rank));
    ELM_MPI(MPI_Comm_size(host, &comm->local_size));
    elm_threads_mask(mine, sizeof mine);
    for (int r = 0; r < comm->local_size; r++) {
        memcpy(theirs, mine, sizeof theirs);
        ELM_MPI(MPI_Bcast(theirs, sizeof theirs, MPI_BYTE, r, host));
        comm->core_sharers += memcmp(theirs, mine, sizeof mine) == 0;
    }
    ELM_MPI(MPI_Comm_free(&host));
}

/* Open MPI's default sums a bucket in place up a binomial tree and sends it down again, the
 * whole of it at every level. Halving and doubling moves each byte twice, whatever the number of
 * ranks. What the user has set is left alone; other libraries ignore it. */
static void prefer_halving_sums(void)
{
    setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "rabenseifner", 0);
}

int elm_comm_start_all(elm_comm **out, int *argc, char ***argv, elm_error *err)
{
    int level = MPI_THREAD_SINGLE;
    prefer_halving_sums();
    if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level) != MPI_SUCCESS)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "MPI does not start (MPI_Init_thread): check the MPI installation "
                             "with a small program");
    elm_comm *comm = elm_alloc(1, sizeof *comm, err);
    if (!comm || level < MPI_THREAD_FUNNELED) {
        elm_free(comm);
        MPI_Finalize();
        return comm ? elm_error_set(err, ELM_EXIT_FAILURE,
                                    "this MPI allows no threads beside it (MPI_THREAD_FUNNELED): "
                                    "use a library built with threads")
                    : -1;
    }
    /* elm_mpi_check names the place, then aborts. Requests that fail while they are waited for
     * call MPI_COMM_WORLD's handler. */
    ELM_MPI(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    ELM_MPI(MPI_Comm_rank(MPI_COMM_WORLD, &comm->rank));
    ELM_MPI(MPI_Comm_size(MPI_COMM_WORLD, &comm->size));
    find_local_ranks_all(comm);
    duplicate(comm);
    elm_moments_op_create(comm);
    *out = comm;
    return 0;
}

void elm_comm_finish_all(elm_comm *comm)
{
    if (!comm)
        return;
    elm_moments_op_free(comm);
    MPI_Comm *const copies[] = {&comm->world, &comm->norm, &comm->gradient, &comm->spread,
                                &comm->gather};
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++)
        ELM_MPI(MPI_Comm_free(copies[i]));
    elm_free(comm);
    MPI_Finalize();
}

void elm_comm_set_watch(elm_comm *comm, elm_watchdog *watch)
{
    comm->watch = watch;
    if (watch)
        elm_watchdog_set_rank(watch, comm->rank, comm->size);
}

elm_watchdog *elm_comm_watch(const elm_comm *comm)
{
    return comm->watch;
}

void elm_comm_set_ticker(elm_comm *comm, elm_ticker *ticker)
{
    comm->ticker = ticker;
}

elm_ticker *elm_comm_ticker(const elm_comm *comm)
{
    return comm->ticker;
}

_Noreturn void elm_comm_abort(const elm_comm *comm, int code)
{
    (void)comm;
    MPI_Abort(MPI_COMM_WORLD, code);
    abort();
}

int elm_comm_rank(const elm_comm *comm)
{
    return comm->rank;
}

int elm_comm_size(const elm_comm *comm)
{
    return comm->size;
}

int elm_comm_local_rank(const elm_comm *comm)
{
    return comm->local_rank;
}

int elm_comm_local_size(const elm_comm *comm)
{
    return comm->local_size;
}

int elm_comm_core_sharers(const elm_comm *comm)
{
    return comm->core_sharers;
}

void elm_comm_barrier_all(elm_comm *comm)
{
    ELM_MPI(MPI_Barrier(comm->world));
}

void elm_comm_broadcast_all(elm_comm *comm, void *bytes, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes && comm->size > 1; at += CHUNK) {
        const size_t rest = size_bytes - at;
        ELM_MPI(MPI_Bcast((char *)bytes + at, (int)(rest < CHUNK ? rest : CHUNK), MPI_BYTE, 0,
                          comm->world));
    }
}

/* In-place reduction of any number of elements. */
static void reduce_all(elm_comm *comm, void *values, int64_t count, MPI_Datatype type,
                       size_t size_bytes, MPI_Op op)
{
    for (int64_t at = 0; at < count && comm->size > 1; at += CHUNK) {
        const int64_t rest = count - at;
        ELM_MPI(MPI_Allreduce(MPI_IN_PLACE, (char *)values + (size_t)at * size_bytes,
                              (int)(rest < CHUNK ? rest : CHUNK), type, op, comm->world));
    }
}

void elm_comm_sum_all(elm_comm *comm, double *values, int64_t count)
{
    reduce_all(comm, values, count, MPI_DOUBLE, sizeof *values, MPI_SUM);
}

void elm_comm_sum_counts_all(elm_comm *comm, int64_t *values, int64_t count)
{
    reduce_all(comm, values, count, MPI_INT64_T, sizeof *values, MPI_SUM);
}

void elm_comm_max_all(elm_comm *comm, double *values, int64_t count)
{
    reduce_all(comm, values, count, MPI_DOUBLE, sizeof *values, MPI_MAX);
}

void elm_comm_sum_floats_all(elm_comm *comm, float *values, int64_t count)
{
    reduce_all(comm, values, count, MPI_FLOAT, sizeof *values, MPI_SUM);
}

void elm_comm_or_all(elm_comm *comm, uint8_t *bits, int64_t size_bytes)
{
    reduce_all(comm, bits, size_bytes, MPI_UINT8_T, 1, MPI_BOR);
}

void elm_comm_describe(const elm_comm *comm, char *text, size_t size_bytes)
{
    (void)comm;
    char version[MPI_MAX_LIBRARY_VERSION_STRING] = "";
    int length = 0;
    MPI_Get_library_version(version, &length);
    version[strcspn(version, ",\n")] = 0;
    snprintf(text, size_bytes, "%s", version);
}
