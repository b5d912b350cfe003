#include "data/sampling/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/sampling/sampler_parts.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"

static void fill_sequential(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    (void)seed, (void)epoch;
    for (int64_t i = 0; i < sampler->dataset->count; i++)
        order[i] = i;
}

static void fill_instance(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, 0);
    fill_sequential(sampler, seed, epoch, order);
    elm_rng_shuffle(&rng, order, sampler->dataset->count, sizeof *order);
}

static const sampler_row samplers[] = {
    {"instance", 0, fill_instance, NULL, NULL},
    {"sequential", 0, fill_sequential, NULL, NULL},
    {"window", ELM_WINDOW_MIN, sampler_fill_window, sampler_window_create, NULL},
    {"class-balanced", 0, sampler_fill_drawn, sampler_walks_create, sampler_weight_balanced},
    {"sqrt", 0, sampler_fill_drawn, sampler_walks_create, sampler_weight_sqrt},
    {"progressive", 0, sampler_fill_drawn, sampler_walks_create, sampler_weight_progressive},
    {"class-aware", 1, sampler_fill_class_aware, sampler_walks_create, NULL},
};
enum { SAMPLERS = sizeof samplers / sizeof *samplers };

/* The number of "name:<number>", from `least` on; -1 where `value` is something else. */
static int64_t number_after(const char *value, const char *name, int64_t least)
{
    const size_t length = strlen(name);
    if (strncmp(value, name, length) != 0 || value[length] != ':' || value[length + 1] < '0' ||
        value[length + 1] > '9')
        return -1;
    char *end;
    errno = 0;
    const long long number = strtoll(value + length + 1, &end, 10);
    return *end == '\0' && errno == 0 && number >= least ? number : -1;
}

static const sampler_row *find(const char *value, int64_t *number)
{
    const char *text = value[0] != '\0' ? value : samplers[0].name;
    for (int i = 0; i < SAMPLERS; i++) {
        const sampler_row *row = &samplers[i];
        *number = row->least > 0 ? number_after(text, row->name, row->least) : 0;
        if (row->least > 0 ? *number > 0 : strcmp(text, row->name) == 0)
            return row;
    }
    return NULL;
}

int elm_sampler_check(const char *value, elm_error *err)
{
    int64_t number;
    return find(value, &number) != NULL
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE,
                               "choose instance, sequential, window:<n>, n from %d images, "
                               "class-balanced, sqrt, progressive or class-aware:<k>, k from 1",
                               ELM_WINDOW_MIN);
}

bool elm_sampler_depends_on_length(const elm_data_options *options)
{
    int64_t number;
    const sampler_row *row = find(options->sampler, &number);
    return row != NULL && row->weight == sampler_weight_progressive;
}

/* What the option asks for; its row has refused an unknown sampler already. */
static int configure(elm_sampler *sampler, const elm_data_options *options, elm_error *err)
{
    if (elm_sampler_check(options->sampler, err) != 0)
        return -1;
    sampler->row = find(options->sampler, &sampler->number);
    sampler->epochs = options->run_epochs;
    if (elm_sampler_depends_on_length(options) && !(sampler->epochs > 0))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "the run's length is unknown (data.sampler = progressive): choose another sampler");
    return 0;
}

int elm_sampler_create(elm_sampler **out, const elm_dataset *dataset,
                       const elm_data_options *options, elm_error *err)
{
    *out = NULL;
    elm_sampler *sampler = elm_alloc(1, sizeof *sampler, err);
    if (sampler == NULL)
        return -1;
    sampler->dataset = dataset;
    if (configure(sampler, options, err) != 0 ||
        (sampler->row->create != NULL && sampler->row->create(sampler, err) != 0)) {
        elm_sampler_destroy(sampler);
        return -1;
    }
    *out = sampler;
    return 0;
}

void elm_sampler_destroy(elm_sampler *sampler)
{
    if (sampler == NULL)
        return;
    sampler_walks_destroy(&sampler->walks);
    elm_free(sampler->by_place);
    elm_free(sampler->blocks);
    elm_free(sampler);
}

void elm_sampler_fill(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    sampler->row->fill(sampler, seed, epoch, order);
}

int elm_sampler_order(const elm_data_options *options, const elm_dataset *dataset, uint64_t seed,
                      int64_t epoch, int64_t *order, elm_error *err)
{
    elm_sampler *sampler = NULL;
    if (elm_sampler_create(&sampler, dataset, options, err) != 0)
        return -1;
    elm_sampler_fill(sampler, seed, epoch, order);
    elm_sampler_destroy(sampler);
    return 0;
}
