/* The writer's part of stores whose images lie in shards. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "hdf5/objects.h"
#include "store/store_writer_parts.h"

static hid_t file_type(store_type type)
{
    const hid_t types[STORE_TYPES] = {[STORE_INT32] = H5T_STD_I32LE,
                                      [STORE_INT64] = H5T_STD_I64LE,
                                      [STORE_UINT32] = H5T_STD_U32LE,
                                      [STORE_UINT16] = H5T_STD_U16LE};
    return types[type];
}

static int write_shard_paths(elm_store_writer *writer, const elm_store_shard *shards,
                             elm_error *err)
{
    size_t longest = 1;
    for (int i = 0; i < writer->shard_count; i++)
        longest = strlen(shards[i].path) > longest ? strlen(shards[i].path) : longest;
    char *paths = elm_alloc((size_t)writer->shard_count, longest, err);
    if (paths == NULL)
        return -1;
    for (int i = 0; i < writer->shard_count; i++)
        memcpy(paths + (size_t)i * longest, shards[i].path, strlen(shards[i].path));
    const hid_t type = elm_h5_text_type(longest);
    const int status =
        elm_h5_write_list(writer->file, "shards/path", type, writer->shard_count, paths);
    H5Tclose(type);
    elm_free(paths);
    return status == 0 ? 0 : store_write_failed(writer, 0, err);
}

static int write_shards(elm_store_writer *writer, const elm_store_shard *shards, elm_error *err)
{
    for (int i = 0; i < writer->shard_count; i++) {
        if (strlen(shards[i].path) >= STORE_SHARD_PATH_BYTES)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "path of a shard too long (%.80s...): move it", shards[i].path);
        writer->shard_bytes[i] = shards[i].size_bytes;
    }
    if (store_reserve(writer,
                      (size_t)writer->shard_count * (STORE_SHARD_PATH_BYTES + sizeof(int64_t)),
                      err) != 0)
        return -1;
    const hid_t group = elm_h5_create_group(writer->file, "shards");
    if (group < 0)
        return store_write_failed(writer, 0, err);
    H5Gclose(group);
    if (elm_h5_write_list(writer->file, "shards/size_bytes", H5T_NATIVE_INT64, writer->shard_count,
                          writer->shard_bytes) != 0)
        return store_write_failed(writer, 0, err);
    return write_shard_paths(writer, shards, err);
}

static int start_split(elm_store_writer *writer, writer_split *split, hid_t group, elm_error *err)
{
    const size_t rows = (size_t)writer->chunk_rows;
    split->place = elm_alloc(rows, sizeof *split->place, err);
    split->name = split->place != NULL ? elm_alloc(rows, writer->name_bytes, err) : NULL;
    split->column = split->name != NULL ? elm_alloc(rows, sizeof *split->column, err) : NULL;
    if (split->column == NULL)
        return -1;
    const hid_t type = elm_h5_text_type(writer->name_bytes);
    split->names = elm_h5_create_rows(group, "name", type, writer->chunk_rows, 1, NULL);
    H5Tclose(type);
    bool made = split->names >= 0;
    for (int i = 0; made && i < STORE_COLUMNS; i++) {
        split->columns[i] =
            elm_h5_create_rows(group, store_columns[i].name, file_type(store_columns[i].type),
                               writer->chunk_rows, 1, NULL);
        made = split->columns[i] >= 0;
    }
    return made ? 0 : store_write_failed(writer, 0, err);
}

static int flush(elm_store_writer *writer, writer_split *split)
{
    const hsize_t count = (hsize_t)split->waiting;
    for (int i = 0; i < STORE_COLUMNS; i++) {
        for (int row = 0; row < split->waiting; row++)
            split->column[row] = store_column_get(&store_columns[i], &split->place[row]);
        if (elm_h5_append_rows(split->columns[i], H5T_NATIVE_INT64, split->written, count,
                               split->column) != 0)
            return -1;
    }
    const hid_t type = elm_h5_text_type(writer->name_bytes);
    const int status = elm_h5_append_rows(split->names, type, split->written, count, split->name);
    H5Tclose(type);
    return status;
}

static int close_split(writer_split *split)
{
    int status = split->names >= 0 && H5Dclose(split->names) < 0 ? -1 : 0;
    for (int i = 0; i < STORE_COLUMNS; i++)
        if (split->columns[i] >= 0 && H5Dclose(split->columns[i]) < 0)
            status = -1;
    return status;
}

static const store_writer_kind index_kind = {start_split, flush, close_split};

int elm_store_writer_create_index(elm_store_writer **out, const char *path,
                                  const elm_store_info *info, const char *const *class_names,
                                  const elm_store_shard *shards, int shard_count, size_t name_bytes,
                                  elm_error *err)
{
    elm_store_writer *writer = NULL;
    *out = NULL;
    if (shard_count < 1 || shard_count > STORE_SHARDS_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE, "%d shards (%s): give 1 to %d", shard_count,
                             path, STORE_SHARDS_MAX);
    if (store_writer_start(&writer, &index_kind, path, info, class_names,
                           sizeof(elm_store_place) + name_bytes, err) != 0)
        return -1;
    writer->name_bytes = name_bytes > 0 ? name_bytes : 1;
    writer->shard_count = shard_count;
    writer->shard_bytes = elm_alloc((size_t)shard_count, sizeof *writer->shard_bytes, err);
    if (writer->shard_bytes == NULL || write_shards(writer, shards, err) != 0) {
        elm_store_writer_destroy(writer);
        return -1;
    }
    *out = writer;
    return 0;
}

int elm_store_writer_append_place(elm_store_writer *writer, const char *split_name, int32_t label,
                                  const char *name, const elm_store_place *place, elm_error *err)
{
    const size_t length = strlen(name);
    if (place->shard < 0 || place->shard >= writer->shard_count || place->offset < 0 ||
        place->length == 0 || place->length > STORE_IMAGE_BYTES_MAX ||
        place->offset > writer->shard_bytes[place->shard] - (int64_t)place->length ||
        place->width == 0 || place->height == 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "impossible place of an image (%s, %s): give one within its shard",
                             writer->path, name);
    if (length > writer->name_bytes)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "name of an image too long (%.80s...): at most %zu bytes were announced", name,
            writer->name_bytes);
    writer_split *split = store_begin_row(writer, split_name, label, err);
    if (split == NULL)
        return -1;
    char *own = split->name + (size_t)split->waiting * writer->name_bytes;
    memset(own, 0, writer->name_bytes);
    memcpy(own, name, length);
    split->place[split->waiting] = *place;
    return store_end_row(writer, split, err);
}
