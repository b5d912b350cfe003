#include "comm/binding.h"

#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu/affinity.h"
#include "base/cpu/threads.h"
#include "comm/mpi_parts.h"
#include "elmpi/memory.h"

/* The masks of a node's ranks, in rank order. */
typedef struct node {
    int ranks, place;
    /* ranks were started together, but by no launcher that can be seen: in a container, say */
    bool is_hidden;
    elm_cpus *own, *ceilings, *shares, *now; /* one block */
    elm_topology topology;
} node;

static MPI_Comm enter_node_all(node *n)
{
    MPI_Comm host;
    ELM_MPI(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host));
    ELM_MPI(MPI_Comm_set_errhandler(host, MPI_ERRORS_RETURN));
    ELM_MPI(MPI_Comm_rank(host, &n->place));
    ELM_MPI(MPI_Comm_size(host, &n->ranks));
    n->own = elm_alloc((size_t)n->ranks * 4, sizeof *n->own, NULL);
    if (!n->own) {
        fprintf(stderr, "elmpi: fatal: out of memory for the masks of %d ranks\n", n->ranks);
        MPI_Abort(MPI_COMM_WORLD, ELM_EXIT_FAILURE);
    }
    n->ceilings = n->own + n->ranks;
    n->shares = n->ceilings + n->ranks;
    n->now = n->shares + n->ranks;
    return host;
}

static void gather_all(const elm_cpus *mine, elm_cpus *all, MPI_Comm host)
{
    ELM_MPI(
        MPI_Allgather(mine, (int)sizeof *mine, MPI_BYTE, all, (int)sizeof *mine, MPI_BYTE, host));
}

/* The masks that there are now, and with them who shares cores. */
static void look_again_all(elm_comm *comm, node *n, MPI_Comm host)
{
    elm_affinity mine;
    elm_affinity_read(&mine);
    gather_all(&mine.own, n->now, host);
    comm->core_sharers = 0;
    for (int r = 0; r < n->ranks; r++)
        comm->core_sharers += elm_cpus_equal(&n->now[r], &n->now[n->place]);
}

/* "0-3 | 4-7", the ranks' masks; the middle of a long list is left out. */
static void print_masks(const elm_cpus *masks, int ranks, char *text, size_t size)
{
    enum { SHOWN = 4 };
    size_t used = 0;
    *text = 0;
    for (int r = 0; r < ranks && used < size; r++) {
        char mask[48];
        if (r == SHOWN - 1 && ranks > SHOWN) {
            used += (size_t)snprintf(text + used, size - used, " | ...");
            r = ranks - 1;
            if (used >= size)
                return;
        }
        elm_cpus_print(&masks[r], mask, sizeof mask);
        used += (size_t)snprintf(text + used, size - used, "%s%s", r ? " | " : "", mask);
    }
}

static void describe(const node *n, elm_cpus_plan plan, bool automatic, char text[ELM_BINDING_TEXT])
{
    char before[240], now[240];
    const bool changed = memcmp(n->own, n->now, (size_t)n->ranks * sizeof *n->own) != 0;
    print_masks(n->own, n->ranks, before, sizeof before);
    print_masks(n->now, n->ranks, now, sizeof now);
    if (!automatic)
        snprintf(text, ELM_BINDING_TEXT,
                 "cores %s, as the launcher bound the ranks (run.binding = launcher)", now);
    else if (changed)
        snprintf(text, ELM_BINDING_TEXT,
                 "cores %s, the ranks' shares of this node (the launcher gave %s)", now, before);
    else if (n->is_hidden)
        snprintf(text, ELM_BINDING_TEXT,
                 "cores %s, left as they were: what started the ranks is not among the processes "
                 "seen from here",
                 now);
    else if (plan == ELM_CPUS_CROWDED)
        snprintf(text, ELM_BINDING_TEXT,
                 "cores %s, left as they were: there are more ranks than cores", now);
    else
        snprintf(text, ELM_BINDING_TEXT, "cores %s, left as they were", now);
}

void elm_binding_apply_all(elm_comm *comm, int binding, int threads, char text[ELM_BINDING_TEXT])
{
    node n = {0};
    elm_affinity mine;
    elm_cpus_plan plan = ELM_CPUS_KEPT;
    MPI_Comm host = enter_node_all(&n);
    const bool automatic = binding == ELM_BINDING_AUTO;
    elm_affinity_read(&mine);
    elm_affinity_topology(&n.topology);
    n.is_hidden = comm->size > 1 && !mine.has_launcher;
    gather_all(&mine.own, n.own, host);
    gather_all(&mine.ceiling, n.ceilings, host);
    if (automatic)
        plan = elm_cpus_divide(n.own, n.ceilings, n.ranks, &n.topology, n.shares);
    if (plan == ELM_CPUS_DIVIDED)
        elm_affinity_set(&n.shares[n.place]);
    look_again_all(comm, &n, host);
    const int team = elm_threads_resolve(threads, comm->core_sharers);
    omp_set_num_threads(team);
    if (plan == ELM_CPUS_DIVIDED)
        elm_affinity_settle_team(&n.now[n.place], team);
    describe(&n, plan, automatic, text);
    ELM_MPI(MPI_Comm_free(&host));
    elm_free(n.own);
}
