#include "train/logit_gather.h"

#include <string.h>

#include "elmpi/memory.h"

/* Rows of fewer present classes than columns travel with their end unused: their number is the
 * same on all ranks, but the gather's width is set once. */
struct elm_logit_gather {
    elm_class_gather *rows;
    int classes, columns; /* columns: as many classes as can occur at a time */
    bool *occurs;         /* [classes] */
    int32_t *present;     /* [columns] */
    int count;
    float *packed; /* [rows of a full share, or of all][columns] */
};

void elm_logit_gather_destroy(elm_logit_gather *g)
{
    if (!g)
        return;
    elm_class_gather_destroy(g->rows);
    elm_free(g->occurs);
    elm_free(g->present);
    elm_free(g->packed);
    elm_free(g);
}

static int allocate(elm_logit_gather *g, int64_t max_global, elm_error *err)
{
    const elm_need needs[] = {
        {&g->occurs, (size_t)g->classes, sizeof *g->occurs},
        {&g->present, (size_t)g->columns, sizeof *g->present},
        {&g->packed, (size_t)max_global * (size_t)g->columns, sizeof *g->packed},
    };
    return elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
}

int elm_logit_gather_create_all(elm_logit_gather **out, elm_comm *comm, int64_t max_global,
                                int classes, elm_error *err)
{
    elm_logit_gather *g = elm_alloc(1, sizeof *g, err);
    *out = NULL;
    if (g) {
        g->classes = classes;
        g->columns = max_global < classes ? (int)max_global : classes;
    }
    /* where g is NULL on any rank the agreement is -1 on all */
    if (elm_comm_agree_all(comm, g ? allocate(g, max_global, err) : -1, err) || !g)
        goto fail;
    if (elm_class_gather_create_all(&g->rows, comm, ELM_GATHER_ALL, g->columns, max_global, classes,
                                    err))
        goto fail;
    *out = g;
    return 0;
fail:
    elm_logit_gather_destroy(g);
    return -1;
}

static void find_present(elm_logit_gather *g, const int32_t *labels, int64_t count)
{
    memset(g->occurs, 0, (size_t)g->classes * sizeof *g->occurs);
    for (int64_t i = 0; i < count; i++)
        g->occurs[labels[i]] = true;
    g->count = 0;
    for (int c = 0; c < g->classes; c++)
        if (g->occurs[c])
            g->present[g->count++] = c;
}

static void pack(elm_logit_gather *g, const float *logits, int rows)
{
    for (int i = 0; i < rows; i++)
        for (int k = 0; k < g->count; k++)
            g->packed[(size_t)i * (size_t)g->columns + (size_t)k] =
                logits[(size_t)i * (size_t)g->classes + (size_t)g->present[k]];
}

void elm_logit_gather_post_all(elm_logit_gather *g, const int32_t *labels, elm_partition share,
                               const float *logits)
{
    find_present(g, labels, share.global);
    pack(g, logits, share.local);
    elm_class_gather_post_all(g->rows, labels, share, g->packed);
}

void elm_logit_gather_wait_all(elm_logit_gather *g, elm_loss_batch *batch)
{
    const elm_gathered gathered = elm_class_gather_wait_all(g->rows);
    for (int i = 0; i < gathered.rows; i++) /* the rows side by side, without the unused ends */
        memcpy(g->packed + (size_t)i * (size_t)g->count,
               gathered.embeddings + (size_t)i * (size_t)g->columns,
               (size_t)g->count * sizeof *g->packed);
    batch->present = g->count;
    batch->present_classes = g->present;
    batch->remote_logits = g->packed;
}
