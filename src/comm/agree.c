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
    /* Rank 0 shows its bytes in pieces, so that comparing needs no second copy. How many there are follows from rank 0's size, which all
     * know by then. */
    enum { PIECE = 4096 };
    char shown[PIECE];
    const char *mine = bytes;
    uint64_t size = size_bytes, same = 0; /* bytes equal from the start */
    elm_comm_broadcast_all(comm, &size, sizeof size);
    for (uint64_t at = 0; at < size; at += PIECE) {
        const size_t piece = (size_t)(size - at < PIECE ? size - at : PIECE);
        if (comm->rank == 0)
            memcpy(shown, mine + at, piece);
        elm_comm_broadcast_all(comm, shown, piece);
        for (size_t i = 0; i < piece && same == at + i && same < size_bytes; i++)
            same += shown[i] == mine[at + i];
    }
    int status = 0;
    if (size != size_bytes || same != size)
        status = elm_error_set(err, ELM_EXIT_USAGE,
                               "%s differs between rank 0 and rank %d (from byte %llu): start all ranks with the same files and options",
                               what, comm->rank, (unsigned long long)same);
    return elm_comm_agree_all(comm, status, err);
}

int elm_comm_gather_bytes_all(elm_comm *comm, const void *bytes, size_t size_bytes, void **gathered, size_t *sizes, elm_error *err)
{
    const int mine = elm_mpi_count((int64_t)size_bytes);
    const bool root = comm->rank == 0;
    int *counts = root ? elm_alloc((size_t)comm->size, 2 * sizeof *counts, err) : NULL;
    *gathered = NULL;
    if (elm_comm_agree_all(comm, root && !counts ? -1 : 0, err) || (root && !counts)) /* the latter for readers and analysers */
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
        ELM_MPI(MPI_Gatherv(bytes, mine, MPI_BYTE, *gathered, counts, places, MPI_BYTE, 0, comm->world));
    elm_free(counts);
    return status;
}
