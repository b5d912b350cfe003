#include "prepare/archives/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text/utf8.h"
#include "elmpi/memory.h"
#include "prepare/archives/archive_names.h"
#include "prepare/archives/decompress.h"
#include "prepare/archives/zip_index.h"

enum { CHUNK_BYTES = 1 << 20, NAME_BYTES = 4096, DEPTH_MAX = 8, PACKINGS_MAX = 8 };

struct elm_archive {
    struct archive *reader;
    elm_archive *outer; /* the archive that this one is an entry of, or NULL */
    int depth;          /* archives around this one */
    elm_stream *stream; /* what reader reads */
    /* nothing of it is compressed or copied: what stands in the stream stands in the file, */
    bool plain;
    int64_t base;    /* from there on */
    bool links;      /* elm_archive_next hands links out, too */
    locale_t locale; /* for names in Unicode, or 0 */
    elm_container container;
    elm_zip_index index; /* of a zip */
    bool advised;        /* cause says what to do */
    int64_t entries;     /* met so far */
    int64_t left;        /* bytes of the current entry that have not been read */
    bool done;           /* the last entry has been met */
    const char *problem; /* why the current entry's bytes cannot be read, or NULL */
    char cause[ELM_STREAM_CAUSE];
    char name[NAME_BYTES];   /* of the archive */
    char entry[NAME_BYTES];  /* the current one */
    char target[NAME_BYTES]; /* of the current link */
    /* of a cpio archive: the name under which the current file was announced without its bytes */
    char earlier[NAME_BYTES];
};

static const char *cause_of(const elm_archive *archive)
{
    if (archive->cause[0] != '\0')
        return archive->cause;
    const char *cause = elm_stream_cause(archive->stream);
    if (cause == NULL && archive->reader != NULL)
        cause = archive_error_string(archive->reader);
    return cause != NULL ? cause : "unknown cause";
}

static int read_error(const elm_archive *archive, elm_error *err)
{
    const char *cause = cause_of(archive);
    char shown[400];
    const bool secret = strstr(cause, "ncrypt") != NULL || strstr(cause, "assphrase") != NULL ||
                        strstr(cause, "rypto codec") != NULL;
    if (secret)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "an encrypted archive (%s): %s: unpack it with its password and give the folder",
            archive->name, cause);
    if (archive->advised)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the archive (%s): %s",
                             archive->name, cause);
    if (archive->entry[0] == '\0')
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the archive (%s): %s: check that it is the original "
                             "file, or download it again",
                             archive->name, cause);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "truncated or corrupt archive (%s, at entry %s): %s: download it again",
                         archive->name, elm_utf8_escape(shown, sizeof shown, archive->entry),
                         cause);
}

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

static locale_t enter(const elm_archive *archive)
{
    return archive->locale != (locale_t)0 ? uselocale(archive->locale) : (locale_t)0;
}

static void leave(locale_t before)
{
    if (before != (locale_t)0)
        uselocale(before);
}

/* Takes off compressors, one after the other, and makes what is left seekable where that is
 * needed. */
static int prepare_stream(elm_archive *archive)
{
    int wrapped = 1;
    archive->plain = elm_stream_seekable(archive->stream) && elm_stream_is_file(archive->stream);
    archive->base = archive->plain ? elm_stream_base(archive->stream) : 0;
    for (int i = 0; i < PACKINGS_MAX && (wrapped = elm_unpacked_wrap(&archive->stream)) > 0; i++)
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
    const locale_t before = enter(archive);
    const int opened = archive_read_open1(reader);
    leave(before);
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
        read_error(archive, err);
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
            snprintf(cause, ELM_STREAM_CAUSE, "%s", cause_of(outer));
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
    char name[NAME_BYTES];
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

void elm_archive_show_links(elm_archive *archive)
{
    archive->links = true;
}

int64_t elm_archive_position(const elm_archive *archive)
{
    if (archive->outer != NULL && !archive->plain)
        return elm_archive_position(archive->outer);
    return archive->base + elm_stream_origin(archive->stream);
}

/* Where the current entry's bytes stand in the file: behind what has been read, which is the
 * entry's header. */
static int64_t entry_offset(const elm_archive *archive)
{
    const bool is_tar =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    return is_tar && archive->plain ? archive->base + archive_filter_bytes(archive->reader, 0) : -1;
}

static int damaged(elm_archive *archive, const char *cause, elm_error *err)
{
    snprintf(archive->cause, sizeof archive->cause, "%s", cause);
    return read_error(archive, err);
}

/* After the last entry: every check sum is compared, and nothing may follow. */
static int finish(elm_archive *archive, elm_error *err)
{
    archive->done = true;
    if (archive->container == ELM_CONTAINER_ZIP)
        return archive->entries == archive->index.count
                   ? 0
                   : damaged(archive, "its directory is damaged", err);
    if (archive->container == ELM_CONTAINER_PLAIN && elm_stream_rest(archive->stream) < 0)
        return read_error(archive, err);
    enum { TAR_BLOCK = 512 };
    const bool tar =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    /* cut between two files, nothing else would tell */
    if (tar && elm_stream_zeros(archive->stream) < TAR_BLOCK)
        return damaged(archive,
                       "the mark of its end is missing (if it is whole, unpack it with tar and "
                       "give the folder)",
                       err);
    return 0;
}

static bool is_ascii(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80 || *text == '\\')
            return false;
    return true;
}

/* libarchive writes a folder's name with a slash at its end. */
static bool same_but_slash(const char *a, const char *b)
{
    const size_t length_a = strlen(a), length_b = strlen(b),
                 shorter = length_a < length_b ? length_a : length_b;
    return strncmp(a, b, shorter) == 0 && strspn(a + shorter, "/") == length_a - shorter &&
           strspn(b + shorter, "/") == length_b - shorter;
}

/* A zip's names come out of its directory: the entries come in the order of their places, as the
 * directory's do here. */
static int take_name(elm_archive *archive, struct archive_entry *entry, elm_error *err)
{
    const char *path = archive_entry_pathname(entry);
    if (path == NULL)
        path = archive_entry_pathname_utf8(entry);
    archive->problem = NULL;
    if ((archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP &&
        archive->container != ELM_CONTAINER_ZIP)
        return damaged(archive, "its directory is damaged", err);
    if (archive->container == ELM_CONTAINER_ZIP) {
        const elm_zip_item *item = archive->entries < archive->index.count
                                       ? &archive->index.items[archive->entries]
                                       : NULL;
        if (item == NULL ||
            (path != NULL && is_ascii(item->name) && !same_but_slash(item->name, path)))
            return damaged(archive, "its directory is damaged", err);
        path = item->name;
        archive->problem = item->problem;
    }
    archive->entries++;
    if (path == NULL)
        return damaged(archive,
                       archive->container == ELM_CONTAINER_OTHER && archive->locale == (locale_t)0
                           ? "a name that this machine cannot represent: install a UTF-8 locale "
                             "(C.UTF-8), or unpack it and give the folder"
                           : "an entry without a name that can be read",
                       err);
    if (strlen(path) >= sizeof archive->entry)
        return damaged(archive, "a name of more than 4095 bytes", err);
    snprintf(archive->entry, sizeof archive->entry, "%s", path);
    return 0;
}

static int next_header(elm_archive *archive, struct archive_entry **entry, elm_error *err)
{
    const locale_t before = enter(archive);
    const int result = archive_read_next_header(archive->reader, entry);
    leave(before);
    if (result == ARCHIVE_EOF)
        return finish(archive, err);
    /* ARCHIVE_RETRY: a header whose check sum does not match; the next one would be looked for. */
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
        return read_error(archive, err);
    const char *warning = result == ARCHIVE_WARN ? archive_error_string(archive->reader) : NULL;
    if (warning != NULL &&
        (strstr(warning, "malformed") != NULL || strstr(warning, "Malformed") != NULL))
        return read_error(archive, err);
    return take_name(archive, *entry, err) == 0 ? 1 : -1;
}

/* A picture's bytes are none's target: a bit of its kind has been flipped. */
static bool is_plausible_target(const elm_archive *archive, const char *target)
{
    if (target[0] == '\0' || strncmp(target, "\xff\xd8", 2) == 0 ||
        strncmp(target, "\x89PNG", 4) == 0)
        return false;
    for (const unsigned char *at = (const unsigned char *)target; *at != '\0'; at++)
        if (*at < ' ' || *at == 0x7f)
            return false;
    return archive->container != ELM_CONTAINER_ZIP || !is_ascii(target) ||
           (int64_t)strlen(target) == archive->index.items[archive->entries - 1].size_bytes;
}

static int take_link(elm_archive *archive, const char *target, bool hard, elm_archive_entry *out,
                     elm_error *err)
{
    if (target == NULL || !is_plausible_target(archive, target))
        return damaged(archive, "a link that leads nowhere", err);
    snprintf(archive->target, sizeof archive->target, "%s", target);
    *out = (elm_archive_entry){
        .path = archive->entry, .offset = -1, .link = archive->target, .hard = hard};
    return 1;
}

/* 1: a file or link for the caller; 0: nothing of interest. */
static int take_entry(elm_archive *archive, struct archive_entry *entry, elm_archive_entry *out,
                      elm_error *err)
{
    const locale_t before = enter(archive);
    const char *hard = archive_entry_hardlink(entry), *symbolic = archive_entry_symlink(entry);
    leave(before);
    const mode_t kind = archive_entry_filetype(entry);
    const int64_t size = archive_entry_size(entry);
    const bool cpio =
        (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_CPIO;
    if (cpio && hard != NULL && size > 0) { /* its first name came without bytes */
        snprintf(archive->earlier, sizeof archive->earlier, "%s", hard);
        hard = NULL;
    }
    if (hard != NULL && !(kind == AE_IFREG && size > 0))
        return archive->links ? take_link(archive, hard, true, out, err) : 0;
    if (kind == AE_IFLNK)
        return archive->links ? take_link(archive, symbolic, false, out, err) : 0;
    if (kind != AE_IFREG)
        return size > 0 && archive->container != ELM_CONTAINER_PLAIN
                   ? damaged(archive, "an entry of no known kind", err)
                   : 0;
    if (cpio && size == 0 && archive_entry_nlink(entry) > 1)
        return 0;
    if (!archive_entry_size_is_set(entry))
        return damaged(archive, "an entry of unknown size: unpack it and give the folder", err);
    const char *slash = strrchr(archive->entry, '/');
    archive->left = size;
    *out = (elm_archive_entry){.path = archive->entry,
                               .base = slash != NULL ? slash + 1 : archive->entry,
                               .size_bytes = size,
                               .offset = entry_offset(archive)};
    return 1;
}

int elm_archive_next(elm_archive *archive, elm_archive_entry *out, elm_error *err)
{
    struct archive_entry *entry = NULL;
    if (archive->earlier[0] != '\0') { /* the other name of the file before */
        memcpy(archive->target, archive->entry, sizeof archive->target);
        memcpy(archive->entry, archive->earlier, sizeof archive->entry);
        archive->earlier[0] = '\0';
        *out = (elm_archive_entry){
            .path = archive->entry, .offset = -1, .link = archive->target, .hard = true};
        if (archive->links)
            return 1;
    }
    if (archive->done)
        return 0;
    for (;;) {
        int status = next_header(archive, &entry, err);
        if (status == 1)
            status = take_entry(archive, entry, out, err);
        else if (status == 0)
            return 0;
        if (status != 0)
            return status;
    }
}

/* Its check sum is compared when all of it has been read. */
static int finish_entry(elm_archive *archive, elm_error *err)
{
    char more;
    const la_ssize_t count = archive_read_data(archive->reader, &more, 1);
    if (count < 0)
        return read_error(archive, err);
    return count == 0 ? 0 : damaged(archive, "it holds more bytes than it says", err);
}

int elm_archive_read(elm_archive *archive, void *bytes, size_t size_bytes, elm_error *err)
{
    size_t done = 0;
    if (archive->problem != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read an entry (%s, %s): %s",
                             archive->name, archive->entry, archive->problem);
    while (done < size_bytes) {
        const la_ssize_t count =
            archive_read_data(archive->reader, (char *)bytes + done, size_bytes - done);
        if (count < 0)
            return read_error(archive, err);
        if (count == 0)
            return elm_error_set(
                err, ELM_EXIT_FAILURE,
                "truncated archive (%s, entry %s ends after %zu of %zu bytes): download it again",
                archive->name, archive->entry, done, size_bytes);
        done += (size_t)count;
    }
    archive->left -= (int64_t)done;
    return archive->left == 0 ? finish_entry(archive, err) : 0;
}

static elm_archive_file *find_file(elm_archive_file *files, int count, const char *base)
{
    for (int i = 0; i < count; i++)
        if (strcmp(files[i].base, base) == 0)
            return &files[i];
    return NULL;
}

static int check_entry(const elm_archive *archive, const elm_archive_file *file,
                       const elm_archive_entry *entry, const char *advice, elm_error *err)
{
    if (file->bytes != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the archive holds %s twice (%s, the second is %s): %s", file->base,
                             archive->name, entry->path, advice);
    if (entry->size_bytes < file->min_bytes || entry->size_bytes > file->max_bytes)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "wrong size (%s, entry %s): %lld bytes instead of %s%lld: %s",
                             archive->name, entry->path, (long long)entry->size_bytes,
                             file->min_bytes == file->max_bytes ? "" : "at most ",
                             (long long)file->max_bytes, advice);
    return 0;
}

static int fetch_entry(elm_archive *archive, elm_archive_file *file, const elm_archive_entry *entry,
                       elm_archive_progress progress, elm_error *err)
{
    file->size_bytes = entry->size_bytes;
    file->bytes = elm_alloc((size_t)file->size_bytes + 1, 1, err);
    if (file->bytes == NULL)
        return -1;
    for (int64_t done = 0; done < file->size_bytes;) {
        const int64_t left = file->size_bytes - done,
                      chunk = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        if (elm_archive_read(archive, file->bytes + done, (size_t)chunk, err) != 0)
            return -1;
        done += chunk;
        if (progress.report != NULL)
            progress.report(progress.context, entry->base, (double)done / (double)file->size_bytes);
    }
    return 0;
}

int elm_archive_fetch(const elm_archive_place *place, elm_archive_file *files, int count,
                      const char *advice, elm_archive_progress progress, elm_error *err)
{
    for (int i = 0; i < count; i++)
        files[i].bytes = NULL;
    elm_archive *archive = NULL;
    if (elm_archive_open(&archive, place, err) != 0 || archive == NULL)
        return -1;
    elm_archive_entry entry = {.path = "", .base = "", .offset = -1};
    int status;
    while ((status = elm_archive_next(archive, &entry, err)) == 1) {
        elm_archive_file *file = find_file(files, count, entry.base);
        if (file != NULL && (check_entry(archive, file, &entry, advice, err) != 0 ||
                             fetch_entry(archive, file, &entry, progress, err) != 0)) {
            status = -1;
            break;
        }
    }
    elm_archive_close(archive);
    for (int i = 0; status == 0 && i < count; i++)
        if (files[i].bytes == NULL)
            status = elm_error_set(err, ELM_EXIT_FAILURE, "the archive lacks %s (%s): %s",
                                   files[i].base, place->name, advice);
    return status;
}

void elm_archive_free(elm_archive_file *files, int count)
{
    for (int i = 0; i < count; i++) {
        elm_free(files[i].bytes);
        files[i].bytes = NULL;
    }
}
