/* The writer's part of stores whose rows have one size. */
#include <string.h>

#include "elmpi/memory.h"
#include "hdf5/objects.h"
#include "store/store_writer_parts.h"

static int start_rows(elm_store_writer *writer, writer_split *split, hid_t group, elm_error *err)
{
    const elm_store_info *info = &writer->info;
    const hsize_t image[3] = {(hsize_t)info->height, (hsize_t)info->width, (hsize_t)info->channels},
                  vector[1] = {(hsize_t)info->features};
    split->row = elm_alloc((size_t)writer->chunk_rows, writer->row_bytes, err);
    if (split->row == NULL)
        return -1;
    split->rows =
        info->channels > 0
            ? elm_h5_create_rows(group, "images", H5T_STD_U8LE, writer->chunk_rows, 4, image)
            : elm_h5_create_rows(group, "features", H5T_IEEE_F32LE, writer->chunk_rows, 2, vector);
    return split->rows >= 0 ? 0 : store_write_failed(writer, 0, err);
}

static int flush_rows(elm_store_writer *writer, writer_split *split)
{
    const hid_t type = writer->info.channels > 0 ? H5T_NATIVE_UINT8 : H5T_NATIVE_FLOAT;
    return elm_h5_append_rows(split->rows, type, split->written, (hsize_t)split->waiting,
                              split->row);
}

static int close_rows(writer_split *split)
{
    return split->rows >= 0 && H5Dclose(split->rows) < 0 ? -1 : 0;
}

static const store_writer_kind rows_kind = {start_rows, flush_rows, close_rows};

int elm_store_writer_create(elm_store_writer **writer, const char *path, const elm_store_info *info,
                            const char *const *class_names, elm_error *err)
{
    const size_t pixels = (size_t)info->height * info->width;
    return store_writer_start(
        writer, &rows_kind, path, info, class_names,
        info->channels > 0 ? pixels * info->channels : (size_t)info->features * sizeof(float), err);
}

int elm_store_writer_append(elm_store_writer *writer, const char *split_name, int32_t label,
                            const void *row, elm_error *err)
{
    writer_split *split = store_begin_row(writer, split_name, label, err);
    if (split == NULL)
        return -1;
    memcpy(split->row + (size_t)split->waiting * writer->row_bytes, row, writer->row_bytes);
    return store_end_row(writer, split, err);
}
