#include "loss/embedding/class_centers.h"

#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"

void elm_class_centers_destroy(elm_class_centers *c)
{
    if (!c)
        return;
    elm_free(c->center);
    elm_free(c->seen);
    elm_free(c->sum);
    elm_free(c->count);
    elm_free(c);
}

int elm_class_centers_create(elm_class_centers **centers, const elm_loss_setup *setup,
                             elm_error *err)
{
    elm_class_centers *c = elm_alloc(1, sizeof *c, err);
    *centers = NULL;
    if (!c)
        return -1;
    const size_t classes = (size_t)setup->counts.classes, width = (size_t)setup->width;
    *c = (elm_class_centers){.width = setup->width, .classes = setup->counts.classes};
    const elm_need needs[] = {
        {&c->center, classes * width, sizeof *c->center},
        {&c->seen, classes, sizeof *c->seen},
        {&c->sum, classes * width, sizeof *c->sum},
        {&c->count, classes, sizeof *c->count},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err)) {
        elm_class_centers_destroy(c);
        return -1;
    }
    *centers = c;
    return 0;
}

static void forget(elm_class_centers *c)
{
    for (int y = 0; y < c->classes; y++)
        if (c->count[y]) {
            memset(c->sum + (size_t)y * (size_t)c->width, 0, (size_t)c->width * sizeof *c->sum);
            c->count[y] = 0;
        }
}

bool elm_parts_begin(elm_parts_seen *parts, int rows, const elm_loss_batch *batch)
{
    const bool first = parts->images == 0 || parts->passed != batch->moment.passed ||
                       parts->images + rows > batch->global;
    *parts = (elm_parts_seen){rows + (first ? 0 : parts->images), batch->moment.passed};
    return first;
}

bool elm_class_centers_note(elm_class_centers *c, const elm_global_batch *rows,
                            const elm_loss_batch *batch)
{
    const bool first = elm_parts_begin(&c->parts, rows->count, batch);
    if (first)
        forget(c);
#pragma omp parallel for schedule(dynamic, 4)
    for (int s = 0; s < rows->present; s++) {
        double *sum = c->sum + (size_t)rows->class[s] * (size_t)c->width;
        for (int m = rows->start[s]; m < rows->start[s + 1]; m++) {
            const double *x = elm_global_batch_at(rows, rows->member[m]);
            for (int k = 0; k < c->width; k++)
                sum[k] += x[k];
        }
        c->count[rows->class[s]] += elm_global_batch_members(rows, s);
    }
    return first;
}

void elm_class_centers_follow(elm_class_centers *c, elm_class_centers_rule rule, double rate)
{
    for (int y = 0; y < c->classes; y++) {
        const size_t at = (size_t)y * (size_t)c->width;
        if (c->count[y] == 0)
            continue;
        rule(c->center + at, c->sum + at, c->count[y], c->seen[y] != 0, c->width, rate);
        c->seen[y] = 1;
    }
    forget(c);
    c->parts.images = 0;
}

int elm_class_centers_tensors(elm_class_centers *c, elm_tensor *tensors, int capacity)
{
    const elm_tensor all[] = {
        {.name = "centre",
         .dimensions = 2,
         .shape = {c->classes, c->width},
         .count = (int64_t)c->classes * c->width,
         .data = c->center},
        {.name = "centre_seen",
         .dimensions = 1,
         .shape = {c->classes},
         .count = c->classes,
         .data = c->seen},
    };
    const int count = sizeof all / sizeof *all;
    for (int i = 0; i < count && i < capacity; i++)
        tensors[i] = all[i];
    return count;
}
