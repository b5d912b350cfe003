/* Checks around MPI calls: what fails ends the job. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "comm/mpi_parts.h"

void elm_mpi_check(int result, const char *call, const char *file, int line)
{
    if (result == MPI_SUCCESS)
        return;
    int rank = -1, length = 0;
    char text[MPI_MAX_ERROR_STRING] = "";
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Error_string(result, text, &length);
    fprintf(stderr, "elmpi: fatal: rank %d, %s:%d: %s: %s\n", rank, file, line, call, text);
    MPI_Abort(MPI_COMM_WORLD, ELM_EXIT_FAILURE);
    abort();
}

int elm_mpi_count(int64_t count)
{
    if (count < 0 || count > INT_MAX) {
        fprintf(stderr, "elmpi: fatal: %lld elements are more than an MPI call counts\n",
                (long long)count);
        MPI_Abort(MPI_COMM_WORLD, ELM_EXIT_FAILURE);
    }
    return (int)count;
}
