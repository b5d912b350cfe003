/* A shuffle that reads the shards nearly as they lie: blocks of consecutive images in random
 * order, and the images of a window, which are those of a few blocks, among each other. One
 * block would do for the disk, but archives are often sorted by class: several blocks from
 * anywhere mix the classes of a batch. While a window is read, each of its blocks is read as a
 * whole. */
#define _GNU_SOURCE /* qsort_r */
#include <stdlib.h>
#include <string.h>

#include "data/sampling/sampler_parts.h"
#include "elmpi/memory.h"

static int64_t block_of(const elm_sampler *sampler)
{
    return sampler->number / ELM_WINDOW_BLOCKS;
}

static int by_place(const void *a, const void *b, void *context)
{
    const elm_store_place *places = context;
    const elm_store_place *left = &places[*(const int64_t *)a],
                          *right = &places[*(const int64_t *)b];
    if (left->shard != right->shard)
        return left->shard < right->shard ? -1 : 1;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

int sampler_window_create(elm_sampler *sampler, elm_error *err)
{
    const elm_dataset *dataset = sampler->dataset;
    sampler->block_count = (dataset->count + block_of(sampler) - 1) / block_of(sampler) + 1;
    sampler->by_place = elm_alloc((size_t)dataset->count, sizeof *sampler->by_place, err);
    sampler->blocks = elm_alloc((size_t)sampler->block_count, sizeof *sampler->blocks, err);
    if (sampler->by_place == NULL || sampler->blocks == NULL)
        return -1;
    for (int64_t i = 0; i < dataset->count; i++)
        sampler->by_place[i] = i;
    if (dataset->encoded != NULL)
        qsort_r(sampler->by_place, (size_t)dataset->count, sizeof *sampler->by_place, by_place,
                dataset->encoded->places);
    return 0;
}

static int64_t within(int64_t position, int64_t count)
{
    return position < 0 ? 0 : position > count ? count : position;
}

void sampler_fill_window(elm_sampler *sampler, uint64_t seed, int64_t epoch, int64_t *order)
{
    elm_rng rng = elm_rng_stream(seed, ELM_RNG_ORDER, (uint64_t)epoch, 0);
    const int64_t count = sampler->dataset->count, block = block_of(sampler);
    /* blocks end elsewhere in every epoch */
    const int64_t shift = elm_rng_below(&rng, (uint32_t)block);
    for (int64_t b = 0; b < sampler->block_count; b++)
        sampler->blocks[b] = b;
    elm_rng_shuffle(&rng, sampler->blocks, sampler->block_count, sizeof *sampler->blocks);
    int64_t filled = 0;
    for (int64_t b = 0; b < sampler->block_count; b++) {
        const int64_t first = within(sampler->blocks[b] * block - shift, count);
        const int64_t end = within((sampler->blocks[b] + 1) * block - shift, count);
        memcpy(order + filled, sampler->by_place + first, (size_t)(end - first) * sizeof *order);
        filled += end - first;
    }
    for (int64_t first = 0; first < count; first += sampler->number)
        elm_rng_shuffle(&rng, order + first, within(first + sampler->number, count) - first,
                        sizeof *order);
}
