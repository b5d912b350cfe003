#include "data/sampler.h"

#include "elmpi/loader.h"
#include "elmpi/rng.h"

/** Fills order [dataset->count], a pure function of its arguments. */
typedef void (*sampler_fill)(const elm_dataset *dataset, int order_choice, elm_rng *rng, int64_t *order);

/* Every image once: Fisher-Yates, from the end. */
static void fill_instance(const elm_dataset *dataset, int order_choice, elm_rng *rng, int64_t *order)
{
    for (int64_t i = 0; i < dataset->count; i++)
        order[i] = i;
    if (order_choice == ELM_ORDER_SEQUENTIAL)
        return;
    for (int64_t i = dataset->count - 1; i > 0; i--) {
        const int64_t j = elm_rng_below(rng, (uint32_t)i + 1), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

/* In the order of ELM_SAMPLER_CHOICES. */
static const sampler_fill samplers[] = {fill_instance};

void elm_sampler_order(const elm_data_options *options, const elm_dataset *dataset, uint64_t seed, int64_t epoch, int64_t *order)
{
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, 0);
    samplers[options->sampler](dataset, options->order, &rng, order);
}
