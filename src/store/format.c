#include "store/format.h"

#include <string.h>

const char *const store_split_names[STORE_SPLITS] = {"train", "val", "test"};

int store_split_index(const char *split)
{
    for (int i = 0; i < STORE_SPLITS; i++)
        if (strcmp(store_split_names[i], split) == 0)
            return i;
    return -1;
}

static int64_t get_shard(const elm_store_place *place)
{
    return place->shard;
}

static void set_shard(elm_store_place *place, int64_t value)
{
    place->shard = (int32_t)value;
}

static int64_t get_offset(const elm_store_place *place)
{
    return place->offset;
}

static void set_offset(elm_store_place *place, int64_t value)
{
    place->offset = value;
}

static int64_t get_length(const elm_store_place *place)
{
    return place->length;
}

static void set_length(elm_store_place *place, int64_t value)
{
    place->length = (uint32_t)value;
}

static int64_t get_width(const elm_store_place *place)
{
    return place->width;
}

static void set_width(elm_store_place *place, int64_t value)
{
    place->width = (uint16_t)value;
}

static int64_t get_height(const elm_store_place *place)
{
    return place->height;
}

static void set_height(elm_store_place *place, int64_t value)
{
    place->height = (uint16_t)value;
}

static int64_t get_digest(const elm_store_place *place)
{
    return place->digest;
}

static void set_digest(elm_store_place *place, int64_t value)
{
    place->digest = value;
}

const store_column store_columns[STORE_COLUMNS] = {
    {"shard", get_shard, set_shard, STORE_SHARDS_MAX, false},
    {"offset", get_offset, set_offset, INT64_MAX, false},
    {"length", get_length, set_length, STORE_IMAGE_BYTES_MAX, false},
    {"width", get_width, set_width, UINT16_MAX, false},
    {"height", get_height, set_height, UINT16_MAX, false},
    {"digest", get_digest, set_digest, INT64_MAX, .optional = true},
};
