/* Samplers that draw a class first and then the next image of it. Every epoch begins its walks
 * anew, so that its order needs no other epoch's. */
#include <math.h>
#include <string.h>

#include "data/sampling/sampler_parts.h"
#include "elmpi/memory.h"

/* A stream of its own: stream 0 is the instance sampler's. */
enum { CLASS_STREAM = 1 };

int sampler_walks_create(elm_sampler *sampler, elm_error *err)
{
    class_walks *walks = &sampler->walks;
    const elm_dataset *dataset = sampler->dataset;
    const size_t classes = (size_t)dataset->info.classes;
    walks->starts = elm_alloc(classes + 1, sizeof *walks->starts, err);
    walks->images = elm_alloc((size_t)dataset->count, sizeof *walks->images, err);
    walks->passed = elm_alloc(classes, sizeof *walks->passed, err);
    walks->reach = elm_alloc(classes, sizeof *walks->reach, err);
    walks->classes = elm_alloc(classes, sizeof *walks->classes, err);
    if (walks->starts == NULL || walks->images == NULL || walks->passed == NULL ||
        walks->reach == NULL || walks->classes == NULL)
        return -1;
    for (int64_t i = 0; i < dataset->count; i++)
        walks->starts[dataset->labels[i] + 1]++;
    for (size_t c = 0; c < classes; c++)
        walks->starts[c + 1] += walks->starts[c];
    return 0;
}

void sampler_walks_destroy(class_walks *walks)
{
    elm_free(walks->starts);
    elm_free(walks->images);
    elm_free(walks->passed);
    elm_free(walks->reach);
    elm_free(walks->classes);
}

static int64_t images_of(const class_walks *walks, int64_t c)
{
    return walks->starts[c + 1] - walks->starts[c];
}

/* Back to the data set's order: an epoch must not depend on the one before. */
static void begin(class_walks *walks, const elm_dataset *dataset)
{
    memset(walks->passed, 0, (size_t)dataset->info.classes * sizeof *walks->passed);
    for (int64_t i = 0; i < dataset->count; i++) {
        const int32_t c = dataset->labels[i];
        walks->images[walks->starts[c] + walks->passed[c]++] = i;
    }
    memset(walks->passed, 0, (size_t)dataset->info.classes * sizeof *walks->passed);
    walks->present = 0;
    for (int64_t c = 0; c < dataset->info.classes; c++)
        if (images_of(walks, c) > 0)
            walks->classes[walks->present++] = c;
}

/* Fisher-Yates a step at a time: the pass that ends leaves a permutation, which is as good a
 * start as any for the next. */
static int64_t next_image(class_walks *walks, int64_t c, elm_rng *rng)
{
    int64_t *own = walks->images + walks->starts[c];
    const int64_t images = images_of(walks, c);
    if (walks->passed[c] == images)
        walks->passed[c] = 0;
    const int64_t i = walks->passed[c]++, j = i + elm_rng_below(rng, (uint32_t)(images - i)),
                  chosen = own[j];
    own[j] = own[i];
    own[i] = chosen;
    return chosen;
}

double sampler_weight_balanced(const elm_sampler *sampler, int64_t images, int64_t epoch)
{
    (void)sampler, (void)images, (void)epoch;
    return 1;
}

double sampler_weight_sqrt(const elm_sampler *sampler, int64_t images, int64_t epoch)
{
    (void)sampler, (void)epoch;
    return sqrt((double)images);
}

/* Kang et al., "Decoupling representation and classifier for long-tailed recognition", ICLR
 * 2020, eq. 3. */
double sampler_weight_progressive(const elm_sampler *sampler, int64_t images, int64_t epoch)
{
    const double passed = fmin((double)epoch / sampler->epochs, 1);
    return (1 - passed) * (double)images / (double)sampler->dataset->count +
           passed / (double)sampler->walks.present;
}

/* Which of the present classes: the first whose reach is beyond a random point. */
static int64_t draw_class(const class_walks *walks, elm_rng *rng)
{
    const double point = elm_rng_uniform(rng) * walks->reach[walks->present - 1];
    int64_t low = 0, high = walks->present - 1;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (walks->reach[middle] > point)
            high = middle;
        else
            low = middle + 1;
    }
    return walks->classes[low];
}

void sampler_fill_drawn(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    class_walks *walks = &sampler->walks;
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, CLASS_STREAM);
    begin(walks, sampler->dataset);
    double sum = 0;
    for (int64_t i = 0; i < walks->present; i++)
        walks->reach[i] = sum +=
            sampler->row->weight(sampler, images_of(walks, walks->classes[i]), epoch);
    for (int64_t i = 0; i < sampler->dataset->count; i++)
        order[i] = next_image(walks, draw_class(walks, &rng), &rng);
}

void sampler_fill_class_aware(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    class_walks *walks = &sampler->walks;
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, CLASS_STREAM);
    begin(walks, sampler->dataset);
    for (int64_t i = 0, turn = 0; walks->present > 0 && i < sampler->dataset->count; turn++) {
        if (turn % walks->present == 0)
            elm_rng_shuffle(&rng, walks->classes, walks->present, sizeof *walks->classes);
        for (int64_t k = 0; k < sampler->number && i < sampler->dataset->count; k++)
            order[i++] = next_image(walks, walks->classes[turn % walks->present], &rng);
    }
}
