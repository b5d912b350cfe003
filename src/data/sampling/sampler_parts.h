/* A sampler's parts, for sampler.c (the table), sampler_classes.c (samplers that draw classes)
 * and sampler_window.c (shuffles). */
#ifndef ELMPI_DATA_SAMPLING_SAMPLER_PARTS_H
#define ELMPI_DATA_SAMPLING_SAMPLER_PARTS_H

#include "data/sampling/sampler.h"

/** The images of each class, dealt out one by one: every image of the class once, in random
 * order, before any comes again. */
typedef struct class_walks {
    int64_t *starts;  /* [classes + 1] in images */
    int64_t *images;  /* [count] places in the data set, by class */
    int64_t *passed;  /* [classes] dealt out in the pass under way */
    double *reach;    /* [classes] sums of the weights up to and with each class */
    int64_t *classes; /* [present] that have images */
    int64_t present;
} class_walks;

typedef struct sampler_row sampler_row;

struct elm_sampler {
    const elm_dataset *dataset;
    const sampler_row *row;
    int64_t number; /* n of window:<n>, k of class-aware:<k> */
    double epochs;  /* of the run */

    class_walks walks;   /* samplers that draw classes */
    int64_t *by_place;   /* [count] images as they lie in the shards; window only */
    int64_t *blocks;     /* [ceil(count / block) + 1]; window only */
    int64_t block_count; /* at most */
};

struct sampler_row {
    const char *name;
    int64_t least; /* of "name:<number>"; 0: takes no number */
    void (*fill)(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order);
    int (*create)(elm_sampler *sampler, elm_error *err); /* memory of its own; NULL: none */
    /* of drawing a class, by its images; NULL: draws none */
    double (*weight)(const elm_sampler *sampler, int64_t images, int64_t epoch);
};

int sampler_walks_create(elm_sampler *sampler, elm_error *err);
void sampler_walks_destroy(class_walks *walks);

void sampler_fill_drawn(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order);
void sampler_fill_class_aware(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order);
double sampler_weight_balanced(const elm_sampler *sampler, int64_t images, int64_t epoch);
double sampler_weight_sqrt(const elm_sampler *sampler, int64_t images, int64_t epoch);
double sampler_weight_progressive(const elm_sampler *sampler, int64_t images, int64_t epoch);

int sampler_window_create(elm_sampler *sampler, elm_error *err);
void sampler_fill_window(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order);

#endif
