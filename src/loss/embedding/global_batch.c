#include "loss/embedding/global_batch.h"

#include <math.h>
#include <string.h>

#include "base/cpu/vectors.h"
#include "base/long_tail.h"
#include "elmpi/memory.h"

/* Shorter vectors have no direction: normalized they are 0 and get no gradient. */
static const double length_min = 1e-12;

void elm_loss_needs_everything(const elm_loss_options *options, elm_loss_needs *needs)
{
    (void)options;
    needs->reach = ELM_LOSS_EVERYTHING;
}

void elm_global_batch_destroy(elm_global_batch *r)
{
    if (!r)
        return;
    void *all[] = {r->x,      r->inverse, r->label,    r->class, r->start,
                   r->member, r->slot,    r->gradient, r->group, r};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

int elm_global_batch_create(elm_global_batch **rows, const elm_loss_setup *setup, bool normalize,
                            elm_error *err)
{
    elm_global_batch *r = elm_alloc(1, sizeof *r, err);
    *rows = NULL;
    if (!r)
        return -1;
    const size_t width = (size_t)setup->width, classes = (size_t)setup->counts.classes,
                 count = (size_t)setup->max_rows;
    *r = (elm_global_batch){.width = setup->width,
                            .classes = setup->counts.classes,
                            .max_rows = (int)setup->max_rows,
                            .normalize = normalize};
    const elm_need needs[] = {
        {&r->x, count * width, sizeof *r->x},
        {&r->inverse, count, sizeof *r->inverse},
        {&r->label, count, sizeof *r->label},
        {&r->class, classes, sizeof *r->class},
        {&r->start, classes + 1, sizeof *r->start},
        {&r->member, count, sizeof *r->member},
        {&r->slot, classes, sizeof *r->slot},
        {&r->gradient, (size_t)setup->max_local * width, sizeof *r->gradient},
        {&r->group, classes, sizeof *r->group},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err)) {
        elm_global_batch_destroy(r);
        return -1;
    }
    for (size_t c = 0; c < classes; c++)
        r->group[c] = elm_class_group(setup->counts.count[c]);
    *rows = r;
    return 0;
}

/* The batch's own buffer of row p: other ranks' rows up to our place, ours, the others. */
static const float *source_of(const elm_global_batch *r, const elm_loss_batch *b, int p,
                              int32_t *label)
{
    const int mine = p - r->first;
    if (mine >= 0 && mine < r->local) {
        *label = b->labels[mine];
        return b->embeddings + (size_t)mine * (size_t)b->width;
    }
    const int theirs = mine < 0 ? p : p - r->local;
    *label = b->remote_labels[theirs];
    return b->remote_embeddings + (size_t)theirs * (size_t)b->width;
}

static void take_row(elm_global_batch *r, const elm_loss_batch *b, int p)
{
    const float *from = source_of(r, b, p, &r->label[p]);
    double *to = r->x + (size_t)p * (size_t)r->width;
    for (int k = 0; k < r->width; k++)
        to[k] = from[k];
    if (!r->normalize)
        return;
    const double sum = elm_vectors()->dot_double(to, to, r->width);
    r->inverse[p] = sqrt(sum) <= length_min ? 0 : 1 / sqrt(sum);
    for (int k = 0; k < r->width; k++)
        to[k] *= r->inverse[p];
}

/* Counting sort; `slot` holds the counts first. */
static void sort_by_class(elm_global_batch *r)
{
    memset(r->slot, 0, (size_t)r->classes * sizeof *r->slot);
    for (int p = 0; p < r->count; p++)
        r->slot[r->label[p]]++;
    r->present = 0;
    r->start[0] = 0;
    for (int c = 0; c < r->classes; c++) {
        if (r->slot[c] == 0)
            continue;
        r->start[r->present + 1] = r->start[r->present] + r->slot[c];
        r->class[r->present] = c;
        r->slot[c] = r->present++;
    }
    for (int p = 0; p < r->count; p++)
        r->member[r->start[r->slot[r->label[p]]]++] = p;
    /* Placing moved each start to its class's end, which is where the next begins. */
    memmove(r->start + 1, r->start, (size_t)r->present * sizeof *r->start);
    r->start[0] = 0;
}

void elm_global_batch_collect(elm_global_batch *r, const elm_loss_batch *batch)
{
    r->count = batch->local + batch->remote;
    r->local = batch->local;
    for (r->first = 0; r->first < batch->remote && batch->remote_position[r->first] < batch->first;)
        r->first++;
#pragma omp parallel for schedule(static)
    for (int p = 0; p < r->count; p++)
        take_row(r, batch, p);
    sort_by_class(r);
}

/* From the gradient by Phi / |Phi| to the one by Phi. */
static void through_normalization(const elm_global_batch *r, int i)
{
    const double *unit = elm_global_batch_at(r, r->first + i), scale = r->inverse[r->first + i];
    double *gradient = r->gradient + (size_t)i * (size_t)r->width;
    const double along = elm_global_batch_product(gradient, unit, r->width);
    for (int k = 0; k < r->width; k++)
        gradient[k] = (gradient[k] - along * unit[k]) * scale;
}

void elm_global_batch_add_gradient(const elm_global_batch *r, const elm_loss_batch *batch,
                                   double scale)
{
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->local; i++) {
        if (r->normalize)
            through_normalization(r, i);
        const double *gradient = r->gradient + (size_t)i * (size_t)r->width;
        float *to = batch->embeddings_gradient + (size_t)i * (size_t)r->width;
        for (int k = 0; k < r->width; k++)
            to[k] += (float)(scale * gradient[k]);
    }
}

elm_loss_value elm_global_batch_anchors(const elm_global_batch *r)
{
    elm_loss_value value = {0};
    for (int p = r->first; p < r->first + r->local; p++) {
        const int group = r->group[r->label[p]];
        value.anchors[group]++;
        value.with_positive[group] += elm_global_batch_mates(r, p) > 1;
    }
    return value;
}

/* In the order of the images, so that the sum does not depend on the threads. */
elm_loss_value elm_global_batch_mean(const elm_global_batch *r, const elm_loss_batch *batch,
                                     const double *row_loss)
{
    elm_loss_value value = elm_global_batch_anchors(r);
    for (int i = 0; i < r->local; i++)
        value.loss += row_loss[i];
    value.loss /= (double)batch->global;
    return value;
}

elm_loss_value elm_global_batch_tell(const elm_global_batch *r, const elm_loss_batch *batch,
                                     double value)
{
    elm_loss_value told = elm_global_batch_anchors(r);
    if (r->local > 0)
        /* images / global of one, local / images of that */
        told.loss = value * r->local / (double)batch->global;
    return told;
}

double elm_global_batch_distance(const double *a, const double *b, int width)
{
    return elm_vectors()->square_distance_double(a, b, width);
}

double elm_global_batch_product(const double *a, const double *b, int width)
{
    return elm_vectors()->dot_double(a, b, width);
}
