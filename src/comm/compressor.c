#include "comm/compressor.h"

#include "base/cpu/bf16.h"
#include "base/cpu/vectors.h"
#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

/* Where a bucket stands. The second round of messages has a communicator of its own and goes in
 * the buckets' order, whenever their first rounds end: that order is the same on all ranks, as
 * MPI wants it. */
typedef struct packet {
    int64_t share;      /* floats of a rank's share, the last may reach beyond the bucket */
    elm_bf16 *out, *in; /* [size][share] each */
} packet;

struct elm_compressor {
    elm_comm *comm;
    float *floats;
    const int64_t *first, *count;
    /* so many have been sent off, are in their second round, are done */
    int buckets, posted, scattered, finished;
    packet *packets;
    MPI_Request *requests; /* [buckets] */
    elm_bf16 *memory;
};

void elm_compressor_destroy(elm_compressor *c)
{
    if (!c)
        return;
    elm_free(c->packets);
    elm_free(c->requests);
    elm_free(c->memory);
    elm_free(c);
}

int elm_compressor_create(elm_compressor **compressor, elm_comm *comm, float *floats, int buckets,
                          const int64_t *first, const int64_t *count, elm_error *err)
{
    elm_compressor *c = *compressor = elm_alloc(1, sizeof *c, err);
    if (!c)
        return -1;
    *c = (elm_compressor){
        .comm = comm, .floats = floats, .first = first, .count = count, .buckets = buckets};
    c->packets = elm_alloc((size_t)buckets, sizeof *c->packets, err);
    c->requests = c->packets ? elm_alloc((size_t)buckets, sizeof *c->requests, err) : NULL;
    int64_t total = 0;
    for (int b = 0; c->requests && b < buckets; b++)
        total += c->packets[b].share = (count[b] + comm->size - 1) / comm->size;
    c->memory =
        c->requests ? elm_alloc((size_t)(2 * total * comm->size), sizeof *c->memory, err) : NULL;
    if (!c->memory) {
        elm_compressor_destroy(c);
        *compressor = NULL;
        return -1;
    }
    elm_bf16 *at = c->memory;
    for (int b = 0; b < buckets; b++) {
        packet *p = &c->packets[b];
        c->requests[b] = MPI_REQUEST_NULL;
        p->out = at;
        p->in = at + p->share * comm->size;
        at = p->in + p->share * comm->size;
    }
    return 0;
}

void elm_compressor_post_all(elm_compressor *c, int b)
{
    packet *p = &c->packets[b];
    const float *from = c->floats + c->first[b];
    const int64_t count = c->count[b], room = p->share * c->comm->size;
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        elm_vectors()->to_bf16(p->out + at, from + at,
                               count - at < ELM_VECTOR_CHUNK ? count - at : ELM_VECTOR_CHUNK);
    for (int64_t i = count; i < room; i++)
        p->out[i] = 0;
    const int share = elm_mpi_count(p->share);
    ELM_MPI(MPI_Ialltoall(p->out, share, MPI_UINT16_T, p->in, share, MPI_UINT16_T,
                          c->comm->gradient, &c->requests[b]));
    c->posted = b + 1;
}

enum { BLOCK = 512 };

/* The ranks' rows added in their order, in fp32, rounded once. */
static void add_rows(elm_bf16 *out, const elm_bf16 *rows, int64_t stride, int count, int ranks)
{
    float sum[BLOCK] = {0};
    for (int r = 0; r < ranks; r++)
        elm_vectors()->add_bf16(sum, rows + r * stride, count);
    elm_vectors()->to_bf16(out, sum, count);
}

/* The sum of this rank's share takes its place in `out`, and goes to all. */
static void scatter_sum_all(elm_compressor *c, int b)
{
    packet *p = &c->packets[b];
    elm_bf16 *mine = p->out + p->share * c->comm->rank;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < p->share; i += BLOCK)
        add_rows(mine + i, p->in + i, p->share, (int)(p->share - i < BLOCK ? p->share - i : BLOCK),
                 c->comm->size);
    ELM_MPI(MPI_Iallgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, p->out, elm_mpi_count(p->share),
                           MPI_UINT16_T, c->comm->spread, &c->requests[b]));
}

static void take_over(const elm_compressor *c, int b)
{
    float *to = c->floats + c->first[b];
    const elm_bf16 *from = c->packets[b].out;
    const int64_t count = c->count[b];
#pragma omp parallel for schedule(static)
    for (int64_t at = 0; at < count; at += ELM_VECTOR_CHUNK)
        elm_vectors()->from_bf16(to + at, from + at,
                                 count - at < ELM_VECTOR_CHUNK ? count - at : ELM_VECTOR_CHUNK);
}

static bool is_done(elm_compressor *c, int b, bool wait)
{
    int done = 1;
    if (wait)
        ELM_MPI(MPI_Wait(&c->requests[b], MPI_STATUS_IGNORE));
    else
        ELM_MPI(MPI_Test(&c->requests[b], &done, MPI_STATUS_IGNORE));
    return done;
}

void elm_compressor_advance(elm_compressor *c, bool wait, void (*arrived)(void *context, int b),
                            void *context)
{
    for (; c->scattered < c->posted && is_done(c, c->scattered, wait); c->scattered++)
        scatter_sum_all(c, c->scattered);
    for (; c->finished < c->scattered && is_done(c, c->finished, wait); c->finished++) {
        take_over(c, c->finished);
        arrived(context, c->finished);
    }
    if (c->finished == c->buckets)
        c->posted = c->scattered = c->finished = 0;
}
