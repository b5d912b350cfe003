#include "loss/embedding/pairwise.h"

#include "elmpi/memory.h"
#include "loss/matmul.h"

void elm_pairs_destroy(void *pairs)
{
    elm_pairs *p = pairs;
    if (!p)
        return;
    elm_global_batch_destroy(p->rows);
    elm_free(p->pair);
    elm_free(p->row_loss);
    elm_free(p);
}

int elm_pairs_create(elm_pairs **pairs, const elm_loss_setup *setup, bool normalize, elm_error *err)
{
    elm_pairs *p = elm_alloc(1, sizeof *p, err);
    *pairs = NULL;
    if (!p)
        return -1;
    const size_t rows = (size_t)setup->max_rows;
    const elm_need needs[] = {{&p->pair, rows * rows, sizeof *p->pair},
                              {&p->row_loss, rows, sizeof *p->row_loss}};
    if (elm_global_batch_create(&p->rows, setup, normalize, err) ||
        elm_alloc_each(needs, sizeof needs / sizeof *needs, err)) {
        elm_pairs_destroy(p);
        return -1;
    }
    *pairs = p;
    return 0;
}

void elm_pairs_collect(elm_pairs *p, const elm_loss_batch *batch)
{
    const elm_global_batch *r = p->rows;
    elm_global_batch_collect(p->rows, batch);
    elm_matmul_nt(r->x, r->count, r->x, r->count, r->width, p->pair, r->count);
}

/* G_ij + G_ji in both places. */
static void add_transpose(const elm_pairs *p)
{
    const int count = p->rows->count;
#pragma omp parallel for schedule(dynamic, 8)
    for (int i = 0; i < count; i++)
        for (int j = 0; j <= i; j++) {
            double *one = elm_pairs_of(p, i) + j, *other = elm_pairs_of(p, j) + i;
            *one = *other = *one + *other;
        }
}

void elm_pairs_add_gradient(const elm_pairs *p, const elm_loss_batch *batch, double scale)
{
    const elm_global_batch *r = p->rows;
    add_transpose(p);
    elm_matmul_nn(elm_pairs_of(p, r->first), r->count, r->local, r->x, r->count, r->width,
                  r->gradient);
    elm_global_batch_add_gradient(r, batch, scale);
}
