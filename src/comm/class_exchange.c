#include "comm/class_exchange.h"

#include <string.h>

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

/* Rows to or from every rank. */
typedef struct traffic {
    int *counts, *places; /* [size] */
} traffic;

struct elm_class_exchange {
    elm_comm *comm;
    elm_class_exchange_spec spec;
    traffic out, in;
    int local;         /* this rank's rows of the last post */
    int *order;        /* [max_local] which of this rank's rows lies where in `send` */
    float *send;       /* [max_local][width] sorted by owner */
    bool *send_mark;   /* [max_local] */
    float *received;   /* [max_kept][width] */
    int32_t *labels;   /* [max_kept] */
    int64_t *position; /* [max_kept] */
    bool *mark;        /* [max_kept] */
    float *gradient;   /* [max_rows][width] for the way back */
    float *returned;   /* [max_local][width] */
    int64_t kept;      /* rows before the last post's */
    int rows;          /* of the last post */
    MPI_Datatype row;  /* so that counts and places are small numbers */
    MPI_Request requests[2];
};

void elm_class_exchange_destroy(elm_class_exchange *x)
{
    if (!x)
        return;
    if (x->row != MPI_DATATYPE_NULL)
        MPI_Type_free(&x->row);
    void *all[] = {x->out.counts, x->out.places,
                   x->in.counts,  x->in.places,
                   x->order,      x->send,
                   x->send_mark,  x->received,
                   x->labels,     x->position,
                   x->mark,       x->gradient,
                   x->returned,   x};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static elm_class_exchange *create(elm_comm *comm, const elm_class_exchange_spec *spec,
                                  elm_error *err)
{
    elm_class_exchange *x = elm_alloc(1, sizeof *x, err);
    if (!x)
        return NULL;
    *x = (elm_class_exchange){.comm = comm,
                              .spec = *spec,
                              .row = MPI_DATATYPE_NULL,
                              .requests = {MPI_REQUEST_NULL, MPI_REQUEST_NULL}};
    const size_t size = (size_t)comm->size, local = (size_t)spec->max_local,
                 kept = (size_t)spec->max_kept, width = (size_t)spec->width;
    const elm_need needs[] = {
        {&x->out.counts, size, sizeof(int)},
        {&x->out.places, size, sizeof(int)},
        {&x->in.counts, size, sizeof(int)},
        {&x->in.places, size, sizeof(int)},
        {&x->order, local, sizeof *x->order},
        {&x->send, local * width, sizeof *x->send},
        {&x->send_mark, local, sizeof *x->send_mark},
        {&x->received, kept * width, sizeof *x->received},
        {&x->labels, kept, sizeof *x->labels},
        {&x->position, kept, sizeof *x->position},
        {&x->mark, kept, sizeof *x->mark},
        {&x->gradient, (size_t)spec->max_rows * width, sizeof *x->gradient},
        {&x->returned, local * width, sizeof *x->returned},
    };
    if (!elm_alloc_each(needs, sizeof needs / sizeof *needs, err))
        return x;
    elm_class_exchange_destroy(x);
    return NULL;
}

int elm_class_exchange_create_all(elm_class_exchange **out, elm_comm *comm,
                                  const elm_class_exchange_spec *spec, elm_error *err)
{
    *out = create(comm, spec, err);
    if (elm_comm_agree_all(comm, *out ? 0 : -1, err)) {
        elm_class_exchange_destroy(*out);
        *out = NULL;
        return -1;
    }
    ELM_MPI(MPI_Type_contiguous(spec->width, MPI_FLOAT, &(*out)->row));
    ELM_MPI(MPI_Type_commit(&(*out)->row));
    return 0;
}

static void find_places(traffic *t, int size)
{
    for (int r = 0, sum = 0; r < size; r++) {
        t->places[r] = sum;
        sum += t->counts[r];
    }
}

/* What comes: rank after rank, and so in the order of the batch. */
static void plan_in(elm_class_exchange *x, const int32_t *labels, const int64_t *begin)
{
    x->rows = 0;
    for (int r = 0; r < x->comm->size; r++) {
        const int before = x->rows;
        for (int64_t i = begin[r]; i < begin[r + 1]; i++)
            if (x->spec.owner[labels[i]] == x->comm->rank) {
                x->labels[x->kept + x->rows] = labels[i];
                x->position[x->kept + x->rows++] = i;
            }
        x->in.counts[r] = x->rows - before;
    }
    find_places(&x->in, x->comm->size);
}

/* What goes: this rank's rows sorted by owner, in the order of the batch for each. */
static void plan_out(elm_class_exchange *x, const int32_t *mine)
{
    memset(x->out.counts, 0, (size_t)x->comm->size * sizeof *x->out.counts);
    for (int i = 0; i < x->local; i++)
        x->out.counts[x->spec.owner[mine[i]]]++;
    find_places(&x->out, x->comm->size);
    for (int i = 0; i < x->local; i++)
        x->order[x->out.places[x->spec.owner[mine[i]]]++] = i;
    find_places(&x->out, x->comm->size); /* placing has moved them */
}

void elm_class_exchange_post_all(elm_class_exchange *x, const int32_t *labels, const int64_t *begin,
                                 const float *embeddings, const bool *mark)
{
    const size_t width = (size_t)x->spec.width;
    x->kept += x->rows;
    x->local = elm_mpi_count(begin[x->comm->rank + 1] - begin[x->comm->rank]);
    plan_in(x, labels, begin);
    plan_out(x, labels + begin[x->comm->rank]);
    for (int p = 0; p < x->local; p++) {
        memcpy(x->send + (size_t)p * width, embeddings + (size_t)x->order[p] * width,
               width * sizeof *x->send);
        x->send_mark[p] = !mark || mark[x->order[p]];
    }
    ELM_MPI(MPI_Ialltoallv(x->send, x->out.counts, x->out.places, x->row,
                           x->received + (size_t)x->kept * width, x->in.counts, x->in.places,
                           x->row, x->comm->gather, &x->requests[0]));
    ELM_MPI(MPI_Ialltoallv(x->send_mark, x->out.counts, x->out.places, MPI_C_BOOL,
                           x->mark + x->kept, x->in.counts, x->in.places, MPI_C_BOOL,
                           x->comm->gather, &x->requests[1]));
}

void elm_class_exchange_poll(elm_class_exchange *x)
{
    int done;
    ELM_MPI(MPI_Testall(2, x->requests, &done, MPI_STATUSES_IGNORE));
}

elm_owned elm_class_exchange_wait_all(elm_class_exchange *x)
{
    const size_t at = (size_t)x->kept, width = (size_t)x->spec.width;
    /* NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): the analyzer does not see that
     * _post_all made the requests */
    ELM_MPI(MPI_Waitall(2, x->requests, MPI_STATUSES_IGNORE));
    memset(x->gradient, 0, (size_t)x->rows * width * sizeof *x->gradient);
    return (elm_owned){x->rows,        x->received + at * width,
                       x->labels + at, x->position + at,
                       x->mark + at,   x->gradient};
}

void elm_class_exchange_return_all(elm_class_exchange *x, float *gradient)
{
    const size_t width = (size_t)x->spec.width;
    ELM_MPI(MPI_Alltoallv(x->gradient, x->in.counts, x->in.places, x->row, x->returned,
                          x->out.counts, x->out.places, x->row, x->comm->gather));
    for (int p = 0; p < x->local; p++) {
        const float *from = x->returned + (size_t)p * width;
        float *to = gradient + (size_t)x->order[p] * width;
        for (size_t k = 0; k < width; k++)
            to[k] += from[k];
    }
}

elm_owned elm_class_exchange_kept(const elm_class_exchange *x)
{
    return (elm_owned){
        (int)(x->kept + x->rows), x->received, x->labels, x->position, x->mark, NULL};
}

void elm_class_exchange_forget(elm_class_exchange *x)
{
    x->kept = 0;
    x->rows = 0;
}

int64_t elm_class_exchange_rows_sent(const elm_class_exchange *x)
{
    return x->local - x->out.counts[x->comm->rank];
}

int64_t elm_class_exchange_rows_received(const elm_class_exchange *x)
{
    return x->rows - x->in.counts[x->comm->rank];
}
