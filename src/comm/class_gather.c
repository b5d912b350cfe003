#include "comm/class_gather.h"

#include <stdbool.h>
#include <string.h>

#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

struct elm_class_gather {
    elm_comm *comm;
    elm_gather_mode mode;
    int width, classes;
    int64_t max_global;
    int32_t *owner;       /* [classes] the one rank that holds the class, SEVERAL or NOBODY */
    bool *mine;           /* [classes] this rank holds the class */
    int *counts, *places; /* [size] rows a rank sends, and where they land */
    float *send;          /* [rows of a full share][width] */
    float *received;      /* [max_global][width] */
    int32_t *labels;      /* [max_global] of the rows received */
    int64_t *position;    /* [max_global] */
    int64_t total;        /* rows under way, of all ranks */
    MPI_Request request;
};

enum { NOBODY = -1, SEVERAL = -2 };

void elm_class_gather_destroy(elm_class_gather *g)
{
    if (!g)
        return;
    void *all[] = {g->owner,    g->mine,   g->counts,   g->places, g->send,
                   g->received, g->labels, g->position, g};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static elm_class_gather *create(elm_comm *comm, elm_gather_mode mode, int width, int64_t max_global,
                                int classes, elm_error *err)
{
    elm_class_gather *g = elm_alloc(1, sizeof *g, err);
    if (!g)
        return NULL;
    *g = (elm_class_gather){.comm = comm,
                            .mode = comm->size > 1 ? mode : ELM_GATHER_NONE,
                            .width = width,
                            .classes = classes,
                            .max_global = max_global,
                            .request = MPI_REQUEST_NULL};
    const size_t rows = g->mode == ELM_GATHER_NONE ? 0 : (size_t)max_global;
    const size_t share = rows ? (size_t)elm_partition_of(max_global, comm->size, 0).local : 0;
    const elm_need needs[] = {
        {&g->owner, (size_t)classes, sizeof *g->owner},
        {&g->mine, (size_t)classes, sizeof *g->mine},
        {&g->counts, (size_t)comm->size, sizeof *g->counts},
        {&g->places, (size_t)comm->size, sizeof *g->places},
        {&g->send, share * (size_t)width, sizeof *g->send},
        {&g->received, rows * (size_t)width, sizeof *g->received},
        {&g->labels, rows, sizeof *g->labels},
        {&g->position, rows, sizeof *g->position},
    };
    if (!elm_alloc_each(needs, sizeof needs / sizeof *needs, err))
        return g;
    elm_class_gather_destroy(g);
    return NULL;
}

int elm_class_gather_create_all(elm_class_gather **out, elm_comm *comm, elm_gather_mode mode,
                                int width, int64_t max_global, int classes, elm_error *err)
{
    *out = create(comm, mode, width, max_global, classes, err);
    if (!elm_comm_agree_all(comm, *out ? 0 : -1, err))
        return 0;
    elm_class_gather_destroy(*out);
    *out = NULL;
    return -1;
}

/* Who holds each class of the batch. */
static void find_owners(elm_class_gather *g, const int32_t *labels, elm_partition share)
{
    for (int64_t i = 0; i < share.global; i++)
        g->owner[labels[i]] = NOBODY;
    for (int r = 0; r < g->comm->size; r++) {
        const elm_partition theirs = elm_partition_of(share.global, g->comm->size, r);
        for (int64_t i = theirs.first; i < theirs.first + theirs.local; i++) {
            int32_t *owner = &g->owner[labels[i]];
            if (*owner == NOBODY)
                *owner = r;
            else if (*owner != r)
                *owner = SEVERAL;
        }
    }
    for (int64_t i = 0; i < share.global; i++)
        g->mine[labels[i]] = false;
    for (int64_t i = share.first; i < share.first + share.local; i++)
        g->mine[labels[i]] = true;
}

static bool travels(const elm_class_gather *g, int32_t label)
{
    return g->mode == ELM_GATHER_ALL || g->owner[label] == SEVERAL;
}

/* Rows and places of every rank, the same computation on all. Notes whose rows they will be. */
static void plan(elm_class_gather *g, const int32_t *labels, elm_partition share)
{
    g->total = 0;
    for (int r = 0; r < g->comm->size; r++) {
        const elm_partition theirs = elm_partition_of(share.global, g->comm->size, r);
        g->places[r] = elm_mpi_count(g->total * g->width);
        for (int64_t i = theirs.first; i < theirs.first + theirs.local; i++)
            if (travels(g, labels[i])) {
                g->labels[g->total] = labels[i];
                g->position[g->total++] = i;
            }
        g->counts[r] = elm_mpi_count(g->total * g->width - g->places[r]);
    }
}

void elm_class_gather_post_all(elm_class_gather *g, const int32_t *labels, elm_partition share,
                               const float *embeddings)
{
    if (g->mode == ELM_GATHER_NONE)
        return;
    find_owners(g, labels, share);
    plan(g, labels, share);
    float *to = g->send;
    for (int i = 0; i < share.local; i++)
        if (travels(g, labels[share.first + i])) {
            memcpy(to, embeddings + (size_t)i * g->width, (size_t)g->width * sizeof *to);
            to += g->width;
        }
    ELM_MPI(MPI_Iallgatherv(g->send, g->counts[g->comm->rank], MPI_FLOAT, g->received, g->counts,
                            g->places, MPI_FLOAT, g->comm->gather, &g->request));
}

void elm_class_gather_poll(elm_class_gather *g)
{
    int done;
    if (g->request != MPI_REQUEST_NULL)
        ELM_MPI(MPI_Test(&g->request, &done, MPI_STATUS_IGNORE));
}

/* Moves the rows that this rank needs to the front: other ranks', of classes it holds (all of
 * them when everything was asked for). */
static int keep_wanted(elm_class_gather *g)
{
    const int64_t own_first = g->places[g->comm->rank] / g->width,
                  own_last = own_first + g->counts[g->comm->rank] / g->width;
    int kept = 0;
    for (int64_t row = 0; row < g->total; row++) {
        if ((row >= own_first && row < own_last) ||
            (g->mode == ELM_GATHER_SLICES && !g->mine[g->labels[row]]))
            continue;
        if (kept != row) {
            memcpy(g->received + (size_t)kept * g->width, g->received + (size_t)row * g->width,
                   (size_t)g->width * sizeof *g->received);
            g->labels[kept] = g->labels[row];
            g->position[kept] = g->position[row];
        }
        kept++;
    }
    return kept;
}

elm_gathered elm_class_gather_wait_all(elm_class_gather *g)
{
    if (g->mode == ELM_GATHER_NONE)
        return (elm_gathered){0};
    /* NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): the analyzer does not see that
     * _post_all made the request */
    ELM_MPI(MPI_Wait(&g->request, MPI_STATUS_IGNORE));
    return (elm_gathered){keep_wanted(g), g->received, g->labels, g->position};
}

int64_t elm_class_gather_rows_sent(const elm_class_gather *g)
{
    return g->mode == ELM_GATHER_NONE ? 0 : g->counts[g->comm->rank] / g->width;
}
