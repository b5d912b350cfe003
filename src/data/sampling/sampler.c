#include "data/sampling/sampler.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/sampling/sampler_parts.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"

/* Every image once. */
static void fill_instance(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    const int64_t count = sampler->dataset->count;
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, 0);
    if (sampler->order == ELM_ORDER_SHUFFLE && sampler->window > 0) {
        sampler_fill_window(sampler, &rng, order);
        return;
    }
    for (int64_t i = 0; i < count; i++)
        order[i] = i;
    if (sampler->order == ELM_ORDER_SHUFFLE)
        elm_rng_shuffle(&rng, order, count, sizeof *order);
}

static const sampler_row samplers[] = {
    {"instance", false, fill_instance, NULL, false},
    {"class-balanced", false, sampler_fill_drawn, sampler_weight_balanced, true},
    {"sqrt", false, sampler_fill_drawn, sampler_weight_sqrt, true},
    {"progressive", false, sampler_fill_drawn, sampler_weight_progressive, true},
    {"class-aware", true, sampler_fill_class_aware, NULL, true},
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
    *number = 0;
    for (int i = 0; i < SAMPLERS; i++) {
        if (!samplers[i].takes_number &&
            strcmp(value[0] != '\0' ? value : samplers[0].name, samplers[i].name) == 0)
            return &samplers[i];
        if (samplers[i].takes_number && (*number = number_after(value, samplers[i].name, 1)) > 0)
            return &samplers[i];
    }
    return NULL;
}

int elm_sampler_check(const char *value, elm_error *err)
{
    int64_t number;
    return find(value, &number) != NULL ? 0
                                        : elm_error_set(err, ELM_EXIT_USAGE,
                                                        "choose instance, class-balanced, sqrt, "
                                                        "progressive or class-aware:<k>, k from 1");
}

bool elm_sampler_depends_on_length(const elm_data_options *options)
{
    int64_t number;
    const sampler_row *row = find(options->sampler, &number);
    return row != NULL && row->weight == sampler_weight_progressive;
}

/* Images of a window, 0 for a full shuffle, -1 for neither. */
static int64_t window_of(const char *value)
{
    return value[0] == '\0' || strcmp(value, "full") == 0
               ? 0
               : number_after(value, "window", ELM_WINDOW_MIN);
}

int elm_shuffle_check(const char *value, elm_error *err)
{
    return window_of(value) >= 0
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE, "choose full or window:<n>, n from %d images",
                               ELM_WINDOW_MIN);
}

/* What the options ask for; the option rows have refused most of what is wrong here already. */
static int configure(elm_sampler *sampler, const elm_data_options *options, elm_error *err)
{
    if (elm_sampler_check(options->sampler, err) != 0 ||
        elm_shuffle_check(options->shuffle, err) != 0)
        return -1;
    sampler->row = find(options->sampler, &sampler->number);
    sampler->order = options->order;
    sampler->epochs = options->run_epochs;
    sampler->window = window_of(options->shuffle);
    if (sampler->row->by_class && sampler->order == ELM_ORDER_SEQUENTIAL)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "an order without chance has no sampler but instance (data.order = "
                             "sequential, data.sampler = %s): change one",
                             options->sampler);
    if (sampler->row->by_class && sampler->window > 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "only the sampler instance keeps reads together (data.shuffle = %s, "
                             "data.sampler = %s): change one",
                             options->shuffle, options->sampler);
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
    if (configure(sampler, options, err) != 0)
        goto fail;
    if (sampler->row->by_class && sampler_walks_create(&sampler->walks, dataset, err) != 0)
        goto fail;
    if (sampler->window > 0 && sampler_window_create(sampler, err) != 0)
        goto fail;
    *out = sampler;
    return 0;
fail:
    elm_sampler_destroy(sampler);
    return -1;
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
