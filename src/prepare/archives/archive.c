#include "prepare/archives/archive.h"

#include <archive.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_state.h"
#include "prepare/archives/decompress.h"

enum { DEPTH_MAX = 8, PACKINGS_MAX = 8 };

static int check_file(const char *path, elm_error *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "cannot open the archive (%s): %s: check the path given with --archive", path,
            strerror(errno));
    if (S_ISDIR(about.st_mode))
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "a folder instead of an archive (%s): give the original archive, not unpacked", path);
    if (!S_ISREG(about.st_mode)) /* it is read several times, and not in order */
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "not a file (%s): write the archive to a disk first", path);
    return 0;
}

/* The containers that data sets come in. Not libarchive's others: their parsers have had more
 * holes than users, and an mtree is a text listing whose entries may name any file of this
 * machine, which are opened as they are listed. */
static void support_formats(struct archive *reader)
{
    archive_read_support_format_empty(reader);
    archive_read_support_format_tar(reader);
    archive_read_support_format_cpio(reader);
    /* not as a stream: its directory, at the end, is what counts */
    archive_read_support_format_zip_seekable(reader);
    archive_read_support_format_7zip(reader);
    archive_read_support_format_rar(reader);
    archive_read_support_format_rar5(reader);
    archive_read_set_format_option(reader, "tar", "read_concatenated_archives", "1");
}

/* libarchive's callbacks. */
static la_ssize_t give_block(struct archive *reader, void *context, const void **block)
{
    elm_archive *archive = context;
    const ssize_t count = elm_stream_read(archive->stream, block);
    if (count < 0)
        archive_set_error(reader, EIO, "%s", elm_stream_cause(archive->stream));
    return count;
}

static la_int64_t skip_bytes(struct archive *reader, void *context, la_int64_t count)
{
    (void)reader;
    elm_archive *archive = context;
    const int64_t from = elm_stream_position(archive->stream);
    elm_stream_seek(archive->stream, from + count);
    return elm_stream_position(archive->stream) - from;
}

static la_int64_t seek_bytes(struct archive *reader, void *context, la_int64_t offset, int whence)
{
    (void)reader;
    elm_archive *archive = context;
    const int64_t from = whence == SEEK_CUR   ? elm_stream_position(archive->stream)
                         : whence == SEEK_END ? elm_stream_size(archive->stream)
                                              : 0;
    if (from + offset < 0)
        return ARCHIVE_FATAL;
    elm_stream_seek(archive->stream, from + offset);
    return elm_stream_position(archive->stream);
}

/* Takes off compressors, one after the other, and makes what is left seekable where that is
 * needed. */
static int prepare_stream(elm_archive *archive)
{
    int wrapped = 1;
    archive->plain = elm_stream_seekable(archive->stream) && elm_stream_is_file(archive->stream);
    archive->base = archive->plain ? elm_stream_base(archive->stream) : 0;
    for (int i = 0; i < PACKINGS_MAX && (wrapped = elm_decompressor_wrap(&archive->stream)) > 0;
         i++)
        archive->plain = false;
    const uint8_t *bytes = NULL;
    const size_t count = wrapped == 0 ? elm_stream_peek(archive->stream, &bytes) : 0;
    const char *foreign = elm_archive_foreign(bytes, count);
    archive->advised = foreign != NULL;
    if (wrapped != 0 || foreign != NULL) {
        snprintf(archive->cause, sizeof archive->cause, "%s",
                 foreign != NULL ? foreign
                 : wrapped < 0   ? "no memory"
                                 : "compressed many times over");
        return -1;
    }
    archive->container = elm_archive_container(bytes, count);
    /* the bytes go with the stream that is spooled */
    const bool may_be_zip = elm_archive_may_be_zip(bytes, count);
    if (archive->container == ELM_CONTAINER_PLAIN)
        return 0;
    if (!elm_stream_seekable(archive->stream) &&
        (archive->stream = elm_stream_spool(archive->stream, archive->cause)) == NULL)
        return -1;
    archive->locale = elm_archive_locale();
    if (archive->container == ELM_CONTAINER_OTHER && may_be_zip &&
        /* behind a program that unpacks it */
        elm_zip_index_read(&archive->index, archive->stream, archive->cause) == 0) {
        archive->container = ELM_CONTAINER_ZIP;
        return 0;
    }
    if (archive->container == ELM_CONTAINER_OTHER)
        archive->cause[0] = '\0';
    return archive->container == ELM_CONTAINER_ZIP
               ? elm_zip_index_read(&archive->index, archive->stream, archive->cause)
               : 0;
}

static int open_reader(elm_archive *archive)
{
    if (prepare_stream(archive) != 0)
        return -1;
    struct archive *reader = archive->reader = archive_read_new();
    if (reader == NULL) {
        snprintf(archive->cause, sizeof archive->cause, "no memory");
        return -1;
    }
    support_formats(reader);
    archive_read_set_callback_data(reader, archive);
    archive_read_set_read_callback(reader, give_block);
    if (elm_stream_seekable(archive->stream)) {
        archive_read_set_skip_callback(reader, skip_bytes);
        archive_read_set_seek_callback(reader, seek_bytes);
    }
    const locale_t before = elm_archive_enter_locale(archive);
    const int opened = archive_read_open1(reader);
    elm_archive_leave_locale(before);
    return opened == ARCHIVE_OK ? 0 : -1;
}

/* The stream goes to the archive, also on failure. */
static int open_stream(elm_archive **out, elm_stream *stream, elm_archive *outer, const char *name,
                       elm_error *err)
{
    elm_archive *archive = elm_alloc(1, sizeof *archive, err);
    *out = NULL;
    if (archive == NULL || stream == NULL) {
        elm_stream_close(stream);
        elm_free(archive);
        elm_error_set(err, ELM_EXIT_FAILURE, "out of memory (%s): close other programs", name);
        return -1;
    }
    archive->stream = stream;
    archive->outer = outer;
    archive->depth = outer != NULL ? outer->depth + 1 : 0;
    snprintf(archive->name, sizeof archive->name, "%s", name);
    if (open_reader(archive) != 0) {
        elm_archive_refuse(archive, err);
        elm_archive_close(archive);
        return -1;
    }
    *out = archive;
    return 0;
}

int elm_archive_open(elm_archive **out, const elm_archive_place *place, elm_error *err)
{
    elm_stream *stream = NULL;
    *out = NULL;
    if (place->bytes != NULL)
        return open_stream(out, elm_stream_memory(place->bytes, place->size_bytes), NULL,
                           place->name, err);
    if (check_file(place->name, err) != 0)
        return -1;
    if (elm_stream_open_file(&stream, place->name) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the archive (%s): %s: check its permissions", place->name,
                             strerror(errno));
    return open_stream(out, stream, NULL, place->name, err);
}

void elm_archive_close(elm_archive *archive)
{
    if (archive == NULL)
        return;
    if (archive->reader != NULL)
        archive_read_free(archive->reader);
    elm_stream_close(archive->stream);
    elm_zip_index_free(&archive->index);
    if (archive->locale != (locale_t)0)
        freelocale(archive->locale);
    elm_free(archive);
}

/* Of an inner archive whose bytes come out of the outer one only as they are unpacked. */
static ssize_t read_entry(void *context, uint8_t *block, char cause[ELM_STREAM_CAUSE])
{
    elm_archive *outer = context;
    size_t used = 0;
    while (used < ELM_STREAM_BLOCK) {
        const la_ssize_t count =
            archive_read_data(outer->reader, block + used, ELM_STREAM_BLOCK - used);
        if (count < 0)
            snprintf(cause, ELM_STREAM_CAUSE, "%s", elm_archive_cause(outer));
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        used += (size_t)count;
    }
    return (ssize_t)used;
}

int elm_archive_open_inner(elm_archive **out, elm_archive *outer, const elm_archive_entry *entry,
                           elm_error *err)
{
    char name[ARCHIVE_NAME_BYTES];
    *out = NULL;
    if (outer->depth + 1 >= DEPTH_MAX)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "more than %d archives within each other (%s: %s): unpack the outer ones first",
            DEPTH_MAX, outer->name, entry->path);
    snprintf(name, sizeof name, "%.2000s: %.2000s", outer->name, entry->path);
    elm_stream *stream =
        entry->offset >= 0
            ? elm_stream_part(outer->stream, entry->offset - outer->base, entry->size_bytes)
            : elm_stream_sequence(read_entry, NULL, outer);
    return open_stream(out, stream, outer, name, err);
}

int64_t elm_archive_position(const elm_archive *archive)
{
    if (archive->outer != NULL && !archive->plain)
        return elm_archive_position(archive->outer);
    return archive->base + elm_stream_origin(archive->stream);
}
