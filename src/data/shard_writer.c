#include "data/shard_writer.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "elmpi/memory.h"

enum { PATH_BYTES = 4096 };

struct elm_shard_writer {
    char path[PATH_BYTES], part[PATH_BYTES];
    int descriptor;
    int64_t written;
    struct archive *tar;
    struct archive_entry *entry;
};

static int failed(const elm_shard_writer *writer, const char *cause, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot write a shard (%s): %s: make room or choose another --out, then run the same command again: it continues",
                         writer->path, cause != NULL ? cause : "unknown cause");
}

/* libarchive's callback. Unbuffered, so that what has been written is what stands in the file. */
static la_ssize_t write_bytes(struct archive *tar, void *context, const void *bytes, size_t count)
{
    elm_shard_writer *writer = context;
    ssize_t done;
    do {
        done = write(writer->descriptor, bytes, count);
    } while (done < 0 && errno == EINTR);
    if (done < 0)
        archive_set_error(tar, errno, "%s", strerror(errno));
    else
        writer->written += done;
    return done;
}

static int open_tar(elm_shard_writer *writer)
{
    struct archive *tar = writer->tar = archive_write_new();
    writer->entry = archive_entry_new();
    if (tar == NULL || writer->entry == NULL)
        return -1;
    archive_write_set_format_gnutar(tar); /* names of any length and any bytes, with nothing added where they are short */
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
    writer->descriptor = -1;
    if (snprintf(writer->part, sizeof writer->part, "%s.part", path) >= (int)sizeof writer->part) {
        elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): choose a shorter --out", path);
        goto fail;
    }
    writer->descriptor = open(writer->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (writer->descriptor < 0 || open_tar(writer) != 0) {
        failed(writer, writer->descriptor < 0 ? strerror(errno) : "libarchive failed", err);
        goto fail;
    }
    *out = writer;
    return 0;
fail:
    elm_shard_writer_destroy(writer);
    return -1;
}

/* No owner and no time: equal input gives equal bytes. */
int elm_shard_writer_add(elm_shard_writer *writer, const char *name, const uint8_t *bytes, size_t size_bytes, int64_t *offset,
                         elm_error *err)
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
    int status = 0;
    if (archive_write_close(writer->tar) != ARCHIVE_OK)
        status = failed(writer, archive_error_string(writer->tar), err);
    else if (fsync(writer->descriptor) != 0 || rename(writer->part, writer->path) != 0)
        status = failed(writer, strerror(errno), err);
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
    if (writer->descriptor >= 0) {
        unlink(writer->part); /* gone already after a rename */
        close(writer->descriptor);
    }
    elm_free(writer);
}
