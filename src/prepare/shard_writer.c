#include "prepare/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/output.h"

enum { PATH_BYTES = 4096 };

struct elm_shard_writer {
    char path[PATH_BYTES];
    elm_output *output;
    int64_t written;
    struct archive *tar;
    struct archive_entry *entry;
};

static int failed(const elm_shard_writer *writer, const char *cause, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot write a shard (%s): %s: make room or choose another --out, then "
                         "run the same command again: it continues",
                         writer->path, cause != NULL ? cause : "unknown cause");
}

/* libarchive's callback. Unbuffered, so that what has been written is what stands in the file. */
static la_ssize_t write_bytes(struct archive *tar, void *context, const void *bytes, size_t count)
{
    elm_shard_writer *writer = context;
    const int cause = elm_output_write(writer->output, bytes, count);
    if (cause != 0) {
        archive_set_error(tar, cause, "%s", strerror(cause));
        return -1;
    }
    writer->written += (int64_t)count;
    return (la_ssize_t)count;
}

static int open_tar(elm_shard_writer *writer)
{
    struct archive *tar = writer->tar = archive_write_new();
    writer->entry = archive_entry_new();
    if (tar == NULL || writer->entry == NULL)
        return -1;
    /* names of any length and any bytes, with nothing added where they are short */
    archive_write_set_format_gnutar(tar);
    archive_write_set_bytes_per_block(tar, 0);
    archive_write_set_bytes_in_last_block(tar, 1);
    return archive_write_open(tar, writer, NULL, write_bytes, NULL) == ARCHIVE_OK ? 0 : -1;
}

int elm_shard_writer_create(elm_shard_writer **out, const char *path, elm_error *err)
{
    *out = NULL;
    elm_shard_writer *writer = elm_alloc(1, sizeof *writer, err);
    if (writer == NULL)
        return -1;
    snprintf(writer->path, sizeof writer->path, "%s", path);
    if (elm_output_begin(&writer->output, path, ELM_OUTPUT_SEEK | ELM_OUTPUT_PART, err) != 0)
        goto fail;
    if (open_tar(writer) != 0) {
        failed(writer, "libarchive failed", err);
        goto fail;
    }
    *out = writer;
    return 0;
fail:
    elm_shard_writer_destroy(writer);
    return -1;
}

/* No owner and no time: equal input gives equal bytes. */
int elm_shard_writer_add(elm_shard_writer *writer, const char *name, const uint8_t *bytes,
                         size_t size_bytes, int64_t *offset, elm_error *err)
{
    struct archive_entry *entry = archive_entry_clear(writer->entry);
    archive_entry_set_pathname(entry, name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)size_bytes);
    archive_entry_set_mtime(entry, 0, 0);
    if (archive_write_header(writer->tar, entry) < ARCHIVE_WARN)
        return failed(writer, archive_error_string(writer->tar), err);
    *offset = writer->written;
    if (archive_write_data(writer->tar, bytes, size_bytes) != (la_ssize_t)size_bytes ||
        archive_write_finish_entry(writer->tar) != ARCHIVE_OK)
        return failed(writer, archive_error_string(writer->tar), err);
    return 0;
}

int64_t elm_shard_writer_size(const elm_shard_writer *writer)
{
    return writer->written;
}

int elm_shard_writer_finish(elm_shard_writer *writer, int64_t *size_bytes, elm_error *err)
{
    elm_error cause = {0};
    int status = 0;
    if (archive_write_close(writer->tar) != ARCHIVE_OK)
        status = failed(writer, archive_error_string(writer->tar), err);
    else if (elm_output_commit(writer->output, &cause) != 0)
        status = elm_error_set(err, cause.code, "%s, then run the same command again: it continues",
                               cause.text);
    if (status == 0 || cause.code != 0)
        writer->output = NULL;
    *size_bytes = writer->written;
    elm_shard_writer_destroy(writer);
    return status;
}

void elm_shard_writer_destroy(elm_shard_writer *writer)
{
    if (writer == NULL)
        return;
    if (writer->tar != NULL)
        archive_write_free(writer->tar);
    archive_entry_free(writer->entry);
    elm_output_abandon(writer->output);
    elm_free(writer);
}
