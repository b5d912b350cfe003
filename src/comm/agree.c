/* Agreement: one rank's failure becomes that of all ranks, which take the same branch, so that none
 * waits for one that left. */
#include <mpi.h>
#include <stdbool.h>
#include <string.h>

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

int elm_comm_agree_all(elm_comm *comm, int status, elm_error *err)
{
    if (comm->size == 1)
        return status;
    int failing = status ? comm->rank : comm->size;
    ELM_MPI(MPI_Allreduce(MPI_IN_PLACE, &failing, 1, MPI_INT, MPI_MIN, comm->world));
    if (failing == comm->size)
        return 0;
    elm_error said = status && err
                         ? *err
                         : (elm_error){.code = ELM_EXIT_FAILURE, .text = "failed without a reason"};
    ELM_MPI(MPI_Bcast(&said, (int)sizeof said, MPI_BYTE, failing, comm->world));
    /* A wrong job file is wrong everywhere: whose rank read it first is no help. */
    if (said.code == ELM_EXIT_USAGE)
        elm_error_set(err, said.code, "%s", said.text);
    else
        elm_error_set(err, said.code, "rank %d: %s", failing, said.text);
    return -1;
}

/* Length of the line that begins here, without its end. */
static int line_length(const char *text)
{
    return (int)strcspn(text, "\n");
}

/* Where the first line begins that is not the same in both; NULL: they are equal. */
static const char *first_difference(const char *mine, const char *first, const char **theirs)
{
    for (;;) {
        const int a = line_length(mine), b = line_length(first);
        *theirs = first;
        if (a != b || strncmp(mine, first, (size_t)a) || mine[a] != first[b])
            return mine;
        if (!mine[a])
            return NULL;
        mine += a + 1;
        first += b + 1;
    }
}

static int refuse_difference(const elm_comm *comm, const char *what, const char *mine,
                             const char *theirs, elm_error *err)
{
    enum { SHOWN = 160 };
    const int a = line_length(mine), b = line_length(theirs);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "%s of rank %d is not that of rank 0: \"%.*s\" there, \"%.*s\" on rank 0: "
                         "start all ranks with the same program, files "
                         "and options",
                         what, comm->rank, a < SHOWN ? a : SHOWN, mine, b < SHOWN ? b : SHOWN,
                         theirs);
}

int elm_comm_same_all(elm_comm *comm, const char *what, const char *text, elm_error *err)
{
    uint64_t size = strlen(text) + 1;
    elm_comm_broadcast_all(comm, &size, sizeof size);
    char *first = elm_alloc(size, 1, err);
    /* the latter for readers and analyzers */
    if (elm_comm_agree_all(comm, first ? 0 : -1, err) || !first) {
        elm_free(first);
        return -1;
    }
    if (comm->rank == 0)
        memcpy(first, text, size);
    elm_comm_broadcast_all(comm, first, size);
    const char *theirs, *mine = first_difference(text, first, &theirs);
    const int status =
        elm_comm_agree_all(comm, mine ? refuse_difference(comm, what, mine, theirs, err) : 0, err);
    elm_free(first);
    return status;
}

int elm_comm_gather_bytes_all(elm_comm *comm, const void *bytes, size_t size_bytes, void **gathered,
                              size_t *sizes, elm_error *err)
{
    const int mine = elm_mpi_count((int64_t)size_bytes);
    const bool root = comm->rank == 0;
    int *counts = root ? elm_alloc((size_t)comm->size, 2 * sizeof *counts, err) : NULL;
    *gathered = NULL;
    /* the latter for readers and analyzers */
    if (elm_comm_agree_all(comm, root && !counts ? -1 : 0, err) || (root && !counts))
        return -1;
    ELM_MPI(MPI_Gather(&mine, 1, MPI_INT, counts, 1, MPI_INT, 0, comm->world));
    int64_t total = 0;
    int *places = root ? counts + comm->size : NULL;
    for (int r = 0; root && r < comm->size; r++) {
        places[r] = elm_mpi_count(total);
        total += counts[r];
        if (sizes)
            sizes[r] = (size_t)counts[r];
    }
    elm_mpi_count(total);
    if (root)
        *gathered = elm_alloc((size_t)total, 1, err);
    const int status = elm_comm_agree_all(comm, root && !*gathered ? -1 : 0, err);
    if (!status)
        ELM_MPI(MPI_Gatherv(bytes, mine, MPI_BYTE, *gathered, counts, places, MPI_BYTE, 0,
                            comm->world));
    elm_free(counts);
    return status;
}
