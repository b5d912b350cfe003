/* What the files of the comm module share: the communicators and the checks around MPI calls. */
#ifndef ELMPI_COMM_MPI_PARTS_H
#define ELMPI_COMM_MPI_PARTS_H

#include <mpi.h>

#include "elmpi/comm.h"

struct elm_comm {
    MPI_Comm world;    /* agreement, sums, broadcasts */
    MPI_Comm norm;     /* BatchNorm's moments and sums */
    MPI_Comm gradient; /* bucketed allreduce, or the first round of compressed ones */
    MPI_Comm spread;   /* their second round */
    MPI_Comm gather;   /* class slices */
    MPI_Datatype moments;
    MPI_Op merge;        /* of moments */
    elm_watchdog *watch; /* NULL: none */
    elm_ticker *ticker;  /* NULL: none */
    int rank, size, local_rank, local_size, core_sharers;
};

/** Ends the job when an MPI call failed or an invariant broke: prints rank, file and line, and does
 * not wait for other ranks. */
#define ELM_MPI(call) elm_mpi_check((call), #call, __FILE__, __LINE__)
void elm_mpi_check(int result, const char *call, const char *file, int line);

/** A count where MPI takes an int; a larger one ends the job (callers cut into chunks first). */
int elm_mpi_count(int64_t count);

void elm_moments_op_create(struct elm_comm *comm);
void elm_moments_op_free(struct elm_comm *comm);

#endif
