/* Global sums for BatchNorm, on a communicator of their own. Moments are merged by an operation
 * of ours: it is symmetric to the bit, so every reduction tree that MPI may choose gives all
 * ranks the same bits. */
#include "comm/mpi_parts.h"
#include "elmpi/reduce.h"

static void merge(void *in, void *inout, int *count, MPI_Datatype *type)
{
    (void)type;
    const elm_moments *a = in;
    elm_moments *b = inout;
    for (int i = 0; i < *count; i++)
        b[i] = elm_moments_merge(a[i], b[i]);
}

void elm_moments_op_create(elm_comm *comm)
{
    ELM_MPI(MPI_Type_contiguous(sizeof(elm_moments) / sizeof(double), MPI_DOUBLE, &comm->moments));
    ELM_MPI(MPI_Type_commit(&comm->moments));
    ELM_MPI(MPI_Op_create(merge, 1, &comm->merge));
}

void elm_moments_op_free(elm_comm *comm)
{
    ELM_MPI(MPI_Op_free(&comm->merge));
    ELM_MPI(MPI_Type_free(&comm->moments));
}

static void merge_moments_all(void *context, elm_moments *values, int count)
{
    const elm_comm *comm = context;
    if (comm->size > 1)
        ELM_MPI(MPI_Allreduce(MPI_IN_PLACE, values, count, comm->moments, comm->merge, comm->norm));
}

static void sum_all(void *context, double *values, int count)
{
    const elm_comm *comm = context;
    if (comm->size > 1)
        ELM_MPI(MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_DOUBLE, MPI_SUM, comm->norm));
}

elm_reducer elm_comm_reducer(elm_comm *comm)
{
    return (elm_reducer){merge_moments_all, sum_all, comm};
}
