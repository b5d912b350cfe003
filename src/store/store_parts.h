/* Store parts: what lies behind an open store, for the files that share it: store.c (the file, its
 * head and labels), store_rows.c (rows of one size) and store_index.c (images in shards). */
#ifndef ELMPI_STORE_STORE_PARTS_H
#define ELMPI_STORE_STORE_PARTS_H

#include "elmpi/store.h"
#include "hdf5/read.h"
#include "store/format.h"

/** One split of an open store. */
typedef struct store_split {
    int64_t count; /* 0: absent */
    int32_t *labels;
    elm_h5_array rows;       /* of one size; not of an index */
    elm_store_place *places; /* [count], of an index */
    elm_h5_array names;      /* of an index */
} store_split;

struct elm_store {
    char path[STORE_PATH_BYTES];
    uint64_t file_bytes;
    hid_t file;
    elm_store_info info;
    char *class_names; /* [classes][class_bytes] */
    size_t class_bytes;
    store_split splits[STORE_SPLITS];
    int shard_count;
    char (*shard_paths)[STORE_SHARD_PATH_BYTES];
    int64_t *shard_bytes;
};

/** Says that the store is broken, at `where` in it. Returns -1. */
int store_corrupt(const elm_store *store, const char *where, const char *what, elm_error *err);

/** A split that is there, or NULL with the reason in err. */
store_split *store_find_split(elm_store *store, const char *name, elm_error *err);
/** Errors: a member that is not below `count` */
int store_check_members(const elm_store *store, const char *split, int64_t count,
                        const int64_t *members, int64_t member_count, elm_error *err);

/** Reads /shards of an index. */
int store_index_open_shards(elm_store *store, elm_error *err);
/** Reads a split's columns and checks every value: shards that exist, bytes that lie within
 * them. */
int store_index_open_split(elm_store *store, int index, elm_error *err);

#endif
