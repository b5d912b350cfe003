#include "comm/root_transfer.h"

#include "comm/mpi_parts.h"

enum { TAG = 1 };

static void pass(elm_comm *comm, int from, int to, void *bytes, size_t size_bytes)
{
    if (from == to)
        return;
    const int count = elm_mpi_count((int64_t)size_bytes);
    if (comm->rank == from)
        ELM_MPI(MPI_Send(bytes, count, MPI_BYTE, to, TAG, comm->gather));
    else if (comm->rank == to)
        ELM_MPI(MPI_Recv(bytes, count, MPI_BYTE, from, TAG, comm->gather, MPI_STATUS_IGNORE));
}

void elm_comm_send_to_root(elm_comm *comm, int from, void *bytes, size_t size_bytes)
{
    pass(comm, from, 0, bytes, size_bytes);
}

void elm_comm_send_from_root(elm_comm *comm, int to, void *bytes, size_t size_bytes)
{
    pass(comm, 0, to, bytes, size_bytes);
}
