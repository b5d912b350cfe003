/* Store format: what the store's reader and writer have in common. */
#ifndef ELMPI_STORE_FORMAT_H
#define ELMPI_STORE_FORMAT_H

#include "elmpi/store.h"

#define STORE_FORMAT "elmpi-store"

enum {
    STORE_VERSION = 1,
    STORE_VERSION_INDEX = 2 /* images in shards */,
    STORE_SPLITS = 3,
    STORE_NAME_BYTES = 64,
    STORE_CLASS_BYTES = 256,      /* of a class name, its end included, where none is longer */
    STORE_CLASS_BYTES_MAX = 4095, /* of the longest */
    STORE_PATH_BYTES = 4096
};

enum {
    STORE_COLUMNS = 6,             /* of an index, besides labels and name */
    STORE_SHARD_PATH_BYTES = 1024, /* longest path of a shard */
    STORE_SHARDS_MAX = 1 << 16,
    STORE_IMAGE_BYTES_MAX = 1 << 28, /* of one image's file */
};

/** Types of columns, in memory and in the file. */
typedef enum store_type {
    STORE_INT32,
    STORE_INT64,
    STORE_UINT32,
    STORE_UINT16,
    STORE_TYPES
} store_type;

/** A column of an index. */
typedef struct store_column {
    const char *name; /* in the file */
    size_t offset;    /* in elm_store_place */
    store_type type;
    int64_t max;   /* largest value allowed */
    bool optional; /* stores of earlier versions lack it */
} store_column;
extern const store_column store_columns[STORE_COLUMNS];

/** A place's value in a column; every type passes through int64. */
int64_t store_column_get(const store_column *column, const elm_store_place *place);
void store_column_set(const store_column *column, elm_store_place *place, int64_t value);

extern const char *const store_split_names[STORE_SPLITS]; /* train first */

/** Place of a split's name in the list, or -1. */
int store_split_index(const char *split);

#endif
