#include "store/format.h"

#include <stddef.h>
#include <string.h>

const char *const store_split_names[STORE_SPLITS] = {"train", "val", "test"};

int store_split_index(const char *split)
{
    for (int i = 0; i < STORE_SPLITS; i++)
        if (strcmp(store_split_names[i], split) == 0)
            return i;
    return -1;
}

#define AT(member) offsetof(elm_store_place, member)

const store_column store_columns[STORE_COLUMNS] = {
    {"shard", AT(shard), STORE_INT32, STORE_SHARDS_MAX, false},
    {"offset", AT(offset), STORE_INT64, INT64_MAX, false},
    {"length", AT(length), STORE_UINT32, STORE_IMAGE_BYTES_MAX, false},
    {"width", AT(width), STORE_UINT16, UINT16_MAX, false},
    {"height", AT(height), STORE_UINT16, UINT16_MAX, false},
    {"digest", AT(digest), STORE_INT64, INT64_MAX, .optional = true},
};

int64_t store_column_get(const store_column *column, const elm_store_place *place)
{
    const void *value = (const char *)place + column->offset;
    switch (column->type) {
    case STORE_INT32:
        return *(const int32_t *)value;
    case STORE_UINT32:
        return *(const uint32_t *)value;
    case STORE_UINT16:
        return *(const uint16_t *)value;
    default:
        return *(const int64_t *)value;
    }
}

void store_column_set(const store_column *column, elm_store_place *place, int64_t value)
{
    void *at = (char *)place + column->offset;
    switch (column->type) {
    case STORE_INT32:
        *(int32_t *)at = (int32_t)value;
        break;
    case STORE_UINT32:
        *(uint32_t *)at = (uint32_t)value;
        break;
    case STORE_UINT16:
        *(uint16_t *)at = (uint16_t)value;
        break;
    default:
        *(int64_t *)at = value;
    }
}
