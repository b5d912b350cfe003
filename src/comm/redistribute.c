#include "comm/redistribute.h"

#include <limits.h>
#include <string.h>

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

/* Rows in the order of the ranks they go to, and how many come and go. */
typedef struct parcel {
    char *sorted;
    int *out, *out_at, *in, *in_at; /* [size] rows, and where a rank's begin */
} parcel;

static void release(parcel *p)
{
    void *all[] = {p->sorted, p->out, p->out_at, p->in, p->in_at};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static int pack(parcel *p, const elm_comm *comm, const char *rows, size_t row_size, const int *to,
                int64_t count, elm_error *err)
{
    const size_t size = (size_t)comm->size;
    if (count > INT_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "%lld rows to deal out are more than MPI counts: use more ranks",
                             (long long)count);
    const elm_need needs[] = {{&p->sorted, (size_t)count * row_size, 1},
                              {&p->out, size, sizeof *p->out},
                              {&p->out_at, size + 1, sizeof *p->out_at},
                              {&p->in, size, sizeof *p->in},
                              {&p->in_at, size + 1, sizeof *p->in_at}};
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0)
        return -1;
    for (int64_t i = 0; i < count; i++)
        p->out[to[i]]++;
    for (size_t r = 0; r < size; r++)
        p->out_at[r + 1] = p->out_at[r] + p->out[r];
    for (int64_t i = 0; i < count; i++)
        memcpy(p->sorted + (size_t)p->out_at[to[i]]++ * row_size, rows + (size_t)i * row_size,
               row_size);
    for (size_t r = 0; r < size; r++)
        p->out_at[r] -= p->out[r];
    return 0;
}

static int make_room(parcel *p, const elm_comm *comm, size_t row_size, void **received,
                     int64_t *received_count, elm_error *err)
{
    int64_t total = 0;
    for (int r = 0; r < comm->size; r++)
        total += p->in[r];
    if (total > INT_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "%lld rows for one rank are more than MPI counts: use more ranks",
                             (long long)total);
    for (int r = 0; r < comm->size; r++)
        p->in_at[r + 1] = p->in_at[r] + p->in[r];
    *received_count = total;
    *received = elm_alloc((size_t)total, row_size, err);
    return *received != NULL ? 0 : -1;
}

int elm_comm_redistribute_all(elm_comm *comm, const void *rows, size_t row_size, const int *to,
                              int64_t count, void **received, int64_t *received_count,
                              elm_error *err)
{
    parcel p = {0};
    *received = NULL;
    *received_count = 0;
    int status = elm_comm_agree_all(comm, pack(&p, comm, rows, row_size, to, count, err), err);
    if (status == 0 && p.in != NULL) {
        ELM_MPI(MPI_Alltoall(p.out, 1, MPI_INT, p.in, 1, MPI_INT, comm->world));
        status = elm_comm_agree_all(
            comm, make_room(&p, comm, row_size, received, received_count, err), err);
    }
    if (status == 0) {
        MPI_Datatype row;
        ELM_MPI(MPI_Type_contiguous(elm_mpi_count((int64_t)row_size), MPI_BYTE, &row));
        ELM_MPI(MPI_Type_commit(&row));
        ELM_MPI(MPI_Alltoallv(p.sorted, p.out, p.out_at, row, *received, p.in, p.in_at, row,
                              comm->world));
        ELM_MPI(MPI_Type_free(&row));
    } else {
        elm_free(*received);
        *received = NULL;
        *received_count = 0;
    }
    release(&p);
    return status;
}
