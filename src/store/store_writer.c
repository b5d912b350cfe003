#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "hdf5/objects.h"
#include "hdf5/write.h"
#include "store/store_writer_parts.h"

enum {
    CHUNK_BYTES = 1 << 20,
    CHUNK_ROWS_MAX = 4096,
    METADATA_BYTES = 1 << 20,
};

int store_write_failed(const elm_store_writer *writer, int cause, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot write the store (%s): %s: %s", writer->path,
                         cause != 0 ? strerror(cause) : "HDF5 failed",
                         cause == ENOSPC || cause == EDQUOT
                             ? "make room on that disk or choose another --out"
                             : "check the folder and the disk");
}

/* Takes room on the disk for the next bytes before HDF5 writes them: HDF5 1.10 cannot recover
 * from a full disk, not even close the file. */
int store_reserve(elm_store_writer *writer, size_t size_bytes, elm_error *err)
{
    hsize_t used = 0;
    if (H5Fget_filesize(writer->file, &used) < 0)
        return store_write_failed(writer, 0, err);
    const int cause = posix_fallocate(elm_output_descriptor(writer->output), 0,
                                      (off_t)(used + size_bytes + METADATA_BYTES));
    /* these two: a file system that cannot reserve */
    if (cause != 0 && cause != EOPNOTSUPP && cause != EINVAL)
        return store_write_failed(writer, cause, err);
    return 0;
}

static int write_class_names(elm_store_writer *writer, const char *const *names, elm_error *err)
{
    const int classes = writer->info.classes;
    size_t bytes = STORE_CLASS_BYTES;
    for (int c = 0; c < classes; c++) { /* cut, two names could become one */
        if (strlen(names[c]) >= STORE_CLASS_BYTES_MAX)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "name of class %d longer than %d bytes (%.60s...): shorten it", c,
                                 STORE_CLASS_BYTES_MAX - 1, names[c]);
        bytes = strlen(names[c]) >= bytes ? strlen(names[c]) + 1 : bytes;
    }
    char *texts = elm_alloc((size_t)classes, bytes, err);
    if (texts == NULL || store_reserve(writer, (size_t)classes * bytes, err) != 0) {
        elm_free(texts);
        return -1;
    }
    for (int c = 0; c < classes; c++)
        memcpy(texts + (size_t)c * bytes, names[c], strlen(names[c]));
    const hid_t type = elm_h5_text_type(bytes);
    const int status = elm_h5_write_list(writer->file, "classes/name", type, classes, texts);
    H5Tclose(type);
    elm_free(texts);
    return status == 0 ? 0 : store_write_failed(writer, 0, err);
}

static int write_head(elm_store_writer *writer, const char *const *class_names, elm_error *err)
{
    const elm_store_info *info = &writer->info;
    const int version = info->in_shards ? STORE_VERSION_INDEX : STORE_VERSION;
    const hid_t classes = elm_h5_create_group(writer->file, "classes");
    if (classes < 0 || H5Gclose(classes) < 0 ||
        elm_h5_write_text(writer->file, "format", STORE_FORMAT) != 0 ||
        elm_h5_write_attribute(writer->file, "version", H5T_NATIVE_INT, ELM_H5_SCALAR, &version) !=
            0 ||
        elm_h5_write_text(writer->file, "dataset", info->dataset) != 0)
        return store_write_failed(writer, 0, err);
    if (info->channels > 0 && (elm_h5_write_attribute(writer->file, "mean", H5T_NATIVE_FLOAT,
                                                      info->channels, info->mean) != 0 ||
                               elm_h5_write_attribute(writer->file, "std", H5T_NATIVE_FLOAT,
                                                      info->channels, info->std) != 0))
        return store_write_failed(writer, 0, err);
    return write_class_names(writer, class_names, err);
}

static int chunk_rows_for(size_t row_bytes)
{
    const size_t rows = CHUNK_BYTES / row_bytes;
    return rows < 1 ? 1 : rows > CHUNK_ROWS_MAX ? CHUNK_ROWS_MAX : (int)rows;
}

static int create_part(elm_store_writer *writer, elm_error *err)
{
    if (elm_output_begin(&writer->output, writer->path, ELM_OUTPUT_SEEK | ELM_OUTPUT_PART, err) !=
        0)
        return -1;
    const int cause = posix_fallocate(elm_output_descriptor(writer->output), 0, METADATA_BYTES);
    if (cause != 0 && cause != EOPNOTSUPP && cause != EINVAL)
        return store_write_failed(writer, cause, err);
    const hid_t properties = elm_h5_timeless(H5P_FILE_CREATE);
    writer->file = elm_h5_create(writer->output, properties);
    H5Pclose(properties);
    return writer->file >= 0 ? 0 : store_write_failed(writer, errno, err);
}

static void forget_arrays(writer_split *split)
{
    split->labels = split->rows = split->names = -1;
    for (int i = 0; i < STORE_COLUMNS; i++)
        split->columns[i] = -1;
}

int store_writer_start(elm_store_writer **out, const store_writer_kind *kind, const char *path,
                       const elm_store_info *info, const char *const *class_names, size_t row_bytes,
                       elm_error *err)
{
    *out = NULL;
    elm_store_writer *writer = elm_alloc(1, sizeof *writer, err);
    if (writer == NULL)
        return -1;
    writer->kind = kind;
    writer->info = *info;
    writer->file = -1;
    for (int i = 0; i < STORE_SPLITS; i++)
        forget_arrays(&writer->splits[i]);
    writer->row_bytes = row_bytes;
    writer->chunk_rows = chunk_rows_for(writer->row_bytes);
    if (snprintf(writer->path, sizeof writer->path, "%s", path) >= (int)sizeof writer->path) {
        elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): choose a shorter --out",
                      path);
        goto fail;
    }
    writer->train_count = elm_alloc((size_t)info->classes, sizeof *writer->train_count, err);
    if (writer->train_count == NULL || create_part(writer, err) != 0 ||
        store_reserve(writer, (size_t)info->classes * (STORE_CLASS_BYTES + sizeof(int64_t)), err) !=
            0 ||
        write_head(writer, class_names, err) != 0)
        goto fail;
    *out = writer;
    return 0;
fail:
    elm_store_writer_destroy(writer);
    return -1;
}

static int start_split(elm_store_writer *writer, int index, elm_error *err)
{
    writer_split *split = &writer->splits[index];
    split->label = elm_alloc((size_t)writer->chunk_rows, sizeof *split->label, err);
    if (split->label == NULL || store_reserve(writer, 0, err) != 0)
        return -1;
    const hid_t group = elm_h5_create_group(writer->file, store_split_names[index]);
    if (group < 0)
        return store_write_failed(writer, 0, err);
    split->labels = elm_h5_create_rows(group, "labels", H5T_STD_I32LE, writer->chunk_rows, 1, NULL);
    const int status = split->labels < 0 ? store_write_failed(writer, 0, err)
                                         : writer->kind->start_split(writer, split, group, err);
    return H5Gclose(group) < 0 && status == 0 ? store_write_failed(writer, errno, err) : status;
}

/* Writes the rows that wait. Flushing at once keeps what HDF5 still has to write within the room
 * reserved. */
static int flush_split(elm_store_writer *writer, writer_split *split, elm_error *err)
{
    if (split->waiting == 0)
        return 0;
    const hsize_t count = (hsize_t)split->waiting;
    if (store_reserve(writer, (size_t)writer->chunk_rows * (writer->row_bytes + sizeof(int32_t)),
                      err) != 0)
        return -1;
    int status =
        elm_h5_append_rows(split->labels, H5T_NATIVE_INT32, split->written, count, split->label);
    if (status == 0)
        status = writer->kind->flush(writer, split);
    if (status != 0 || H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0)
        return store_write_failed(writer, 0, err);
    split->written += count;
    split->waiting = 0;
    return 0;
}

writer_split *store_begin_row(elm_store_writer *writer, const char *split_name, int32_t label,
                              elm_error *err)
{
    const int index = store_split_index(split_name);
    if (index < 0 || label < 0 || label >= writer->info.classes) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "record of split \"%s\" and class %d (%s): no such split or class",
                      split_name, (int)label, writer->path);
        return NULL;
    }
    writer_split *split = &writer->splits[index];
    if (split->labels < 0 && start_split(writer, index, err) != 0)
        return NULL;
    split->label[split->waiting] = label;
    return split;
}

int store_end_row(elm_store_writer *writer, writer_split *split, elm_error *err)
{
    writer->train_count[split->label[split->waiting]] += split == &writer->splits[0];
    split->waiting++;
    return split->waiting == writer->chunk_rows ? flush_split(writer, split, err) : 0;
}

static int close_file(elm_store_writer *writer)
{
    if (writer->file < 0)
        return 0;
    for (int i = 0; i < STORE_SPLITS; i++) {
        writer_split *split = &writer->splits[i];
        errno = 0;
        if ((split->labels >= 0 && H5Dclose(split->labels) < 0) |
            (writer->kind->close_split(split) != 0))
            elm_output_fail(writer->output, errno);
        forget_arrays(split);
    }
    elm_h5_finish(writer->file, writer->output);
    writer->file = -1;
    return elm_output_has_failed(writer->output) ? -1 : 0;
}

/* Everything into the .part file, which then has its final size and stands on the disk. */
static int complete_part(elm_store_writer *writer, elm_error *err)
{
    hsize_t size_bytes = 0;
    for (int i = 0; i < STORE_SPLITS; i++)
        if (flush_split(writer, &writer->splits[i], err) != 0)
            return -1;
    if (elm_h5_write_list(writer->file, "classes/train_count", H5T_NATIVE_INT64,
                          writer->info.classes, writer->train_count) != 0)
        return store_write_failed(writer, 0, err);
    if (H5Fflush(writer->file, H5F_SCOPE_LOCAL) < 0 ||
        H5Fget_filesize(writer->file, &size_bytes) < 0 || close_file(writer) != 0)
        return store_write_failed(writer, 0, err);
    /* what was reserved and not used */
    if (ftruncate(elm_output_descriptor(writer->output), (off_t)size_bytes) != 0)
        return store_write_failed(writer, errno, err);
    return 0;
}

int elm_store_writer_finish(elm_store_writer *writer, elm_error *err)
{
    elm_store *written = NULL;
    int status = complete_part(writer, err);
    if (status == 0)
        status = elm_store_open(&written, elm_output_part(writer->output), err);
    elm_store_close(written);
    if (status == 0) {
        status = elm_output_commit(writer->output, err);
        writer->output = NULL;
    }
    elm_store_writer_destroy(writer);
    return status;
}

void elm_store_writer_destroy(elm_store_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->file >= 0) { /* what waits is not written any more */
        elm_output_fail(writer->output, 0);
        elm_h5_give_up(writer->file);
    }
    close_file(writer);
    elm_output_abandon(writer->output);
    for (int i = 0; i < STORE_SPLITS; i++) {
        elm_free(writer->splits[i].label);
        elm_free(writer->splits[i].row);
        elm_free(writer->splits[i].place);
        elm_free(writer->splits[i].name);
        elm_free(writer->splits[i].column);
    }
    elm_free(writer->shard_bytes);
    elm_free(writer->train_count);
    elm_free(writer);
}
