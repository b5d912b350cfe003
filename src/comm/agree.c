/* Agreement: one rank's failure becomes everybody's, so that all take the same branch and nobody waits for one that left. */
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
    elm_error said = status && err ? *err : (elm_error){.code = ELM_EXIT_FAILURE, .text = "failed without a reason"};
    ELM_MPI(MPI_Bcast(&said, (int)sizeof said, MPI_BYTE, failing, comm->world));
    /* A wrong job file is wrong everywhere: whose rank read it first is no help. */
    if (said.code == ELM_EXIT_USAGE)
        elm_error_set(err, said.code, "%s", said.text);
    else
        elm_error_set(err, said.code, "rank %d: %s", failing, said.text);
    return -1;
}

int elm_comm_same_all(elm_comm *comm, const char *what, const void *bytes, size_t size_bytes, elm_error *err)
{
    uint64_t size = size_bytes;
    elm_comm_broadcast_all(comm, &size, sizeof size);
    char *first = elm_alloc(size, 1, err);
    if (elm_comm_agree_all(comm, first ? 0 : -1, err)) {
        elm_free(first);
        return -1;
    }
    if (comm->rank == 0)
        memcpy(first, bytes, size_bytes);
    elm_comm_broadcast_all(comm, first, size);
    int status = 0;
    if (size != size_bytes || memcmp(first, bytes, size_bytes)) {
        size_t at = 0;
        while (at < size && at < size_bytes && first[at] == ((const char *)bytes)[at])
            at++;
        status = elm_error_set(err, ELM_EXIT_USAGE,
                               "%s differs between rank 0 and rank %d (from byte %zu): start all ranks with the same files and options",
                               what, comm->rank, at);
    }
    elm_free(first);
    return elm_comm_agree_all(comm, status, err);
}

int elm_comm_gather_bytes_all(elm_comm *comm, const void *bytes, size_t size_bytes, void **gathered, size_t *sizes, elm_error *err)
{
    const int mine = elm_mpi_count((int64_t)size_bytes);
    const bool root = comm->rank == 0;
    int *counts = root ? elm_alloc((size_t)comm->size, 2 * sizeof *counts, err) : NULL;
    if (elm_comm_agree_all(comm, root && !counts ? -1 : 0, err))
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
    *gathered = root ? elm_alloc((size_t)total, 1, err) : NULL;
    const int status = elm_comm_agree_all(comm, root && !*gathered ? -1 : 0, err);
    if (!status)
        ELM_MPI(MPI_Gatherv(bytes, mine, MPI_BYTE, *gathered, counts, places, MPI_BYTE, 0, comm->world));
    elm_free(counts);
    return status;
}
