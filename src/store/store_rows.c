/* Rows of one size: images and features that lie in the store itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "store/store_parts.h"

enum { BLOCK_BYTES = 1 << 22 /* read at a time */ };

/** A row wanted and where it goes. */
typedef struct wanted_row {
    int64_t member, place;
} wanted_row;

static int by_member(const void *a, const void *b)
{
    const wanted_row *left = a, *right = b;
    return (left->member > right->member) - (left->member < right->member);
}

/* Reads whole blocks (the file's chunks) in file order, each once, and deals their rows out. */
static int read_blocks(const elm_h5_array *array, hid_t type, size_t row_bytes, int64_t block_rows,
                       uint8_t *block, const wanted_row *wanted, int64_t count, uint8_t *rows)
{
    for (int64_t i = 0; i < count;) {
        const int64_t first = wanted[i].member / block_rows * block_rows;
        const int64_t left = (int64_t)array->shape[0] - first,
                      present = left < block_rows ? left : block_rows;
        if (elm_h5_rows(array, type, (hsize_t)first, (hsize_t)present, block) != 0)
            return -1;
        for (; i < count && wanted[i].member < first + present; i++)
            memcpy(rows + (size_t)wanted[i].place * row_bytes,
                   block + (size_t)(wanted[i].member - first) * row_bytes, row_bytes);
    }
    return 0;
}

/* A chunk, or what a block holds where the file is not chunked or its chunks are outlandish. */
static int64_t rows_at_a_time(const elm_h5_array *array, size_t row_bytes)
{
    const hsize_t most = row_bytes < BLOCK_BYTES ? BLOCK_BYTES / row_bytes : 1;
    return (int64_t)(array->chunk_rows > 0 && array->chunk_rows < most ? array->chunk_rows : most);
}

static int check_finite(const elm_store *store, const char *split, const float *values,
                        int64_t count, elm_error *err)
{
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return store_corrupt(store, split, "a feature that is not finite", err);
    return 0;
}

/* The rows of `members`, or NULL with the reason in err. */
static void *read_members(const elm_store *store, const store_split *found, const char *split,
                          const int64_t *members, int64_t count, elm_error *err)
{
    const elm_store_info *info = &store->info;
    const bool images = info->channels > 0;
    const size_t row_bytes = images ? (size_t)info->height * info->width * info->channels
                                    : (size_t)info->features * sizeof(float);
    const int64_t block_rows = rows_at_a_time(&found->rows, row_bytes);
    int status = -1;
    wanted_row *wanted = elm_alloc((size_t)count, sizeof *wanted, err);
    uint8_t *block = wanted != NULL ? elm_alloc((size_t)block_rows, row_bytes, err) : NULL;
    uint8_t *rows = block != NULL ? elm_alloc((size_t)count, row_bytes, err) : NULL;
    if (rows != NULL) {
        for (int64_t i = 0; i < count; i++)
            wanted[i] = (wanted_row){members[i], i};
        qsort(wanted, (size_t)count, sizeof *wanted, by_member);
        const hid_t type = images ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
        status = read_blocks(&found->rows, type, row_bytes, block_rows, block, wanted, count, rows);
        if (status != 0)
            store_corrupt(store, split, "its rows are truncated or corrupt", err);
        else if (!images)
            status = check_finite(store, split, (const float *)rows, count * info->features, err);
    }
    elm_free(block);
    elm_free(wanted);
    if (status == 0)
        return rows;
    elm_free(rows);
    return NULL;
}

int elm_store_read(elm_store *store, const char *split, const int64_t *members,
                   int64_t member_count, void **rows, elm_error *err)
{
    *rows = NULL;
    const store_split *found = store_find_split(store, split, err);
    if (found == NULL ||
        store_check_members(store, split, found->count, members, member_count, err) != 0)
        return -1;
    if (store->info.in_shards)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "images in shards have no rows (%s): ask for their places",
                             store->path);
    *rows = read_members(store, found, split, members, member_count, err);
    return *rows != NULL ? 0 : -1;
}
