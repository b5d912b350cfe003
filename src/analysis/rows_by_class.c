#include "analysis/rows_by_class.h"

#include <stdlib.h>
#include <string.h>

#include "analysis/class_order.h"
#include "comm/redistribute.h"
#include "elmpi/memory.h"

/* How a row travels; the embedding follows. */
typedef struct head {
    int64_t member;
    int64_t label;
} head;

/* The largest classes first, each to the rank that has the fewest pairs so far. */
static int share_out(int *owner, const int64_t *class_count, int classes, int ranks, elm_error *err)
{
    int *order = elm_alloc((size_t)classes, sizeof *order, err);
    double *pairs = order != NULL ? elm_alloc((size_t)ranks, sizeof *pairs, err) : NULL;
    const int status = pairs != NULL ? elm_class_order(order, class_count, classes, err) : -1;
    for (int i = 0; status == 0 && i < classes; i++) {
        const int c = order[i];
        int least = 0;
        for (int r = 1; r < ranks; r++)
            least = pairs[r] < pairs[least] ? r : least;
        owner[c] = least;
        pairs[least] += (double)class_count[c] * (double)(class_count[c] + 1);
    }
    elm_free(order);
    elm_free(pairs);
    return status;
}

static int by_class(const void *a, const void *b)
{
    const head *x = *(const head *const *)a, *y = *(const head *const *)b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

/* Rows as they go, and where to. */
static int pack(const elm_embedding_set *e, const int *owner, char **rows, size_t row_size,
                int **to, elm_error *err)
{
    *rows = elm_alloc((size_t)e->count, row_size, err);
    *to = *rows != NULL ? elm_alloc((size_t)e->count, sizeof **to, err) : NULL;
    if (*to == NULL)
        return -1;
    for (int64_t i = 0; i < e->count; i++) {
        head *h = (head *)(*rows + (size_t)i * row_size);
        *h = (head){e->members[i], e->labels[i]};
        memcpy(h + 1, e->embeddings + (size_t)i * (size_t)e->width,
               (size_t)e->width * sizeof *e->embeddings);
        (*to)[i] = owner[e->labels[i]];
    }
    return 0;
}

/* Sorts what has come by class and place. */
static int arrange(elm_class_rows *r, size_t row_size, elm_error *err)
{
    const elm_need needs[] = {{&r->rows, (size_t)r->count, sizeof *r->rows},
                              {&r->members, (size_t)r->count, sizeof *r->members},
                              {&r->first, (size_t)r->classes + 1, sizeof *r->first}};
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0)
        return -1;
    /* sorted as heads, then each moves on to what follows it */
    const head **heads = (const head **)r->rows;
    for (int64_t i = 0; i < r->count; i++)
        heads[i] = (const head *)((const char *)r->memory + (size_t)i * row_size);
    qsort(heads, (size_t)r->count, sizeof *heads, by_class);
    for (int64_t i = 0; i < r->count; i++) {
        const head *h = heads[i];
        r->first[h->label + 1]++;
        r->members[i] = h->member;
        r->rows[i] = (const float *)(h + 1);
    }
    for (int c = 0; c < r->classes; c++)
        r->first[c + 1] += r->first[c];
    return 0;
}

int elm_class_rows_all(elm_class_rows *r, const elm_embedding_set *e, const int64_t *class_count,
                       int classes, elm_comm *comm, elm_error *err)
{
    /* so that heads stay aligned */
    const size_t size = sizeof(head) + ((size_t)e->width * sizeof(float) + 7) / 8 * 8;
    char *rows = NULL;
    int *to = NULL;
    *r = (elm_class_rows){.classes = classes, .width = e->width};
    r->owner = elm_alloc((size_t)classes, sizeof *r->owner, err);
    int status =
        r->owner != NULL ? share_out(r->owner, class_count, classes, elm_comm_size(comm), err) : -1;
    if (status == 0)
        status = pack(e, r->owner, &rows, size, &to, err);
    status = elm_comm_agree_all(comm, status, err);
    if (status == 0)
        status =
            elm_comm_redistribute_all(comm, rows, size, to, e->count, &r->memory, &r->count, err);
    elm_free(rows);
    elm_free(to);
    if (status == 0)
        status = elm_comm_agree_all(comm, arrange(r, size, err), err);
    return status;
}

void elm_class_rows_release(elm_class_rows *r)
{
    void *all[] = {r->owner, (void *)r->rows, r->members, r->first, r->memory};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    *r = (elm_class_rows){0};
}
