/* The reader's part of stores whose images lie in shards: no offset or length leaves here
 * before it is known to be within its shard. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "store/store_parts.h"

static int read_shard_paths(elm_store *store, elm_error *err)
{
    elm_h5_array paths;
    if (elm_h5_open(&paths, store->file, "shards/path", store->file_bytes) != 0)
        return store_corrupt(store, "/shards/path", "absent or of the wrong shape", err);
    int status = -1;
    if (paths.dimensions != 1 || paths.shape[0] > STORE_SHARDS_MAX) {
        store_corrupt(store, "/shards/path", "impossible number of shards", err);
    } else if ((store->shard_paths = elm_alloc(paths.shape[0], sizeof *store->shard_paths, err)) !=
               NULL) {
        store->shard_count = (int)paths.shape[0];
        status = elm_h5_texts(&paths, store->shard_paths[0], sizeof *store->shard_paths);
        if (status != 0)
            store_corrupt(store, "/shards/path", "cannot be read as texts", err);
    }
    elm_h5_close(&paths);
    return status;
}

static int read_shard_sizes(elm_store *store, elm_error *err)
{
    elm_h5_array sizes;
    const char *where = "shards/size_bytes";
    if (elm_h5_open(&sizes, store->file, where, store->file_bytes) != 0)
        return store_corrupt(store, where, "absent or of the wrong shape", err);
    int status = -1;
    if (sizes.dimensions != 1 || sizes.kind != H5T_INTEGER ||
        sizes.shape[0] != (hsize_t)store->shard_count)
        store_corrupt(store, where, "not one number a shard", err);
    else if ((store->shard_bytes = elm_alloc(sizes.shape[0], sizeof *store->shard_bytes, err)) !=
             NULL)
        status = elm_h5_rows(&sizes, H5T_NATIVE_INT64, 0, sizes.shape[0], store->shard_bytes) == 0
                     ? 0
                     : store_corrupt(store, where, "corrupt", err);
    elm_h5_close(&sizes);
    for (int i = 0; status == 0 && i < store->shard_count; i++)
        if (store->shard_bytes[i] <= 0 || store->shard_paths[i][0] == '\0')
            status = store_corrupt(store, where, "an empty shard, or one without a path", err);
    return status;
}

int store_index_open_shards(elm_store *store, elm_error *err)
{
    store->info.channels = 3;
    if (!elm_h5_exists(store->file, "shards"))
        return store_corrupt(store, "/shards", "absent", err);
    return read_shard_paths(store, err) != 0 ? -1 : read_shard_sizes(store, err);
}

static int read_column(elm_store *store, store_split *split, const char *where,
                       const store_column *column, int64_t *values, elm_error *err)
{
    elm_h5_array array;
    if (elm_h5_open(&array, store->file, where, store->file_bytes) != 0)
        return store_corrupt(store, where, "absent, incomplete or of an impossible size", err);
    int status = 0;
    if (array.dimensions != 1 || array.kind != H5T_INTEGER ||
        array.shape[0] != (hsize_t)split->count)
        status = store_corrupt(store, where, "not one whole number an image", err);
    else if (elm_h5_rows(&array, H5T_NATIVE_INT64, 0, array.shape[0], values) != 0)
        status = store_corrupt(store, where, "corrupt", err);
    elm_h5_close(&array);
    for (int64_t i = 0; status == 0 && i < split->count; i++) {
        if (values[i] < 0 || values[i] > column->max)
            return store_corrupt(store, where, "a value out of range", err);
        store_column_set(column, &split->places[i], values[i]);
    }
    return status;
}

static int check_places(const elm_store *store, const store_split *split, const char *name,
                        elm_error *err)
{
    for (int64_t i = 0; i < split->count; i++) {
        const elm_store_place *place = &split->places[i];
        if (place->shard >= store->shard_count)
            return store_corrupt(store, name, "an image in a shard that does not exist", err);
        if (place->length == 0 ||
            place->offset > store->shard_bytes[place->shard] - (int64_t)place->length)
            return store_corrupt(store, name, "an image that is not within its shard", err);
        if (place->width == 0 || place->height == 0)
            return store_corrupt(store, name, "an image without pixels", err);
    }
    return 0;
}

int store_index_open_split(elm_store *store, int index, elm_error *err)
{
    store_split *split = &store->splits[index];
    const char *name = store_split_names[index];
    char where[STORE_NAME_BYTES];
    split->places = elm_alloc((size_t)split->count, sizeof *split->places, err);
    int64_t *values =
        split->places != NULL ? elm_alloc((size_t)split->count, sizeof *values, err) : NULL;
    int status = values != NULL ? 0 : -1;
    for (int i = 0; status == 0 && i < STORE_COLUMNS; i++) {
        snprintf(where, sizeof where, "%s/%s", name, store_columns[i].name);
        if (!store_columns[i].optional || elm_h5_exists(store->file, where))
            status = read_column(store, split, where, &store_columns[i], values, err);
    }
    elm_free(values);
    if (status != 0 || check_places(store, split, name, err) != 0)
        return -1;
    snprintf(where, sizeof where, "%s/name", name);
    if (elm_h5_open(&split->names, store->file, where, store->file_bytes) != 0 ||
        split->names.dimensions != 1 || split->names.shape[0] != (hsize_t)split->count ||
        split->names.kind != H5T_STRING)
        return store_corrupt(store, where, "not one text an image", err);
    return 0;
}

int elm_store_shard_count(const elm_store *store)
{
    return store->shard_count;
}

elm_store_shard elm_store_shard_at(const elm_store *store, int shard)
{
    return (elm_store_shard){store->shard_paths[shard], store->shard_bytes[shard]};
}

int elm_store_places(elm_store *store, const char *split, const int64_t *members,
                     int64_t member_count, elm_store_place **places, elm_error *err)
{
    *places = NULL;
    const store_split *found = store_find_split(store, split, err);
    if (found == NULL ||
        store_check_members(store, split, found->count, members, member_count, err) != 0)
        return -1;
    if (!store->info.in_shards)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "rows of one size have no places (%s): read the rows", store->path);
    *places = elm_alloc((size_t)member_count, sizeof **places, err);
    for (int64_t i = 0; *places != NULL && i < member_count; i++)
        (*places)[i] = found->places[members[i]];
    return *places != NULL ? 0 : -1;
}

int elm_store_image_name(elm_store *store, const char *split, int64_t member, char *name,
                         size_t size_bytes, elm_error *err)
{
    const store_split *found = store_find_split(store, split, err);
    if (found == NULL || store_check_members(store, split, found->count, &member, 1, err) != 0)
        return -1;
    if (!store->info.in_shards ||
        elm_h5_text_at(&found->names, (hsize_t)member, name, size_bytes) != 0)
        return store_corrupt(store, split, "a name that cannot be read", err);
    return 0;
}
