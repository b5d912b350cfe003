#include "data/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/unpacked.h"
#include "elmpi/memory.h"

enum { READ_BYTES = 1 << 16, CHUNK_BYTES = 1 << 20, NAME_BYTES = 4096 };

struct elm_archive {
    struct archive *reader;
    elm_archive *outer; /* the archive that this one is an entry of, or NULL */
    int descriptor;     /* of the outermost file, for an inner archive that stands there as it is; else -1 */
    int64_t base, end;  /* where it begins and ends there */
    int64_t next;       /* what is read next */
    uint8_t *block;     /* [READ_BYTES], of an inner archive */
    bool in_memory;
    elm_unpacked *unpacked; /* what reader reads from where the archive is compressed, or NULL */
    char name[NAME_BYTES];  /* of the archive */
    char entry[NAME_BYTES]; /* the current one */
};

static int read_error(const elm_archive *archive, elm_error *err)
{
    const char *cause = elm_unpacked_cause(archive->unpacked);
    if (cause == NULL)
        cause = archive_error_string(archive->reader);
    if (cause == NULL)
        cause = "unknown cause";
    if (archive->entry[0] == '\0')
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the archive (%s): %s: check that it is the original file, or download it again", archive->name,
                             cause);
    return elm_error_set(err, ELM_EXIT_FAILURE, "truncated or corrupt archive (%s, at entry %s): %s: download it again", archive->name,
                         archive->entry, cause);
}

static int check_file(const char *path, elm_error *err)
{
    struct stat about;
    if (stat(path, &about) != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot open the archive (%s): %s: check the path given with --archive", path,
                             strerror(errno));
    if (S_ISDIR(about.st_mode))
        return elm_error_set(err, ELM_EXIT_FAILURE, "a folder instead of an archive (%s): give the original archive, not unpacked", path);
    return 0;
}

/* The containers that data sets come in. Not libarchive's others: their parsers have had more holes than users, and an mtree is a text
 * listing whose entries may name any file of this machine, which are opened as they are listed. */
static void support_formats(struct archive *reader)
{
    archive_read_support_format_empty(reader);
    archive_read_support_format_tar(reader);
    archive_read_support_format_cpio(reader);
    archive_read_support_format_zip(reader);
    archive_read_support_format_7zip(reader);
    archive_read_support_format_rar(reader);
    archive_read_support_format_rar5(reader);
}

static int open_reader(elm_archive *archive, const elm_archive_place *place)
{
    struct archive *reader = archive->reader;
    support_formats(reader);
    if (elm_unpacked_open(&archive->unpacked, place, reader) != 0)
        return -1;
    if (archive->unpacked != NULL)
        return 0;
    const int opened = place->bytes != NULL ? archive_read_open_memory(reader, place->bytes, place->size_bytes)
                                            : archive_read_open_filename(reader, place->name, READ_BYTES);
    return opened == ARCHIVE_OK ? 0 : -1;
}

int elm_archive_open(elm_archive **out, const elm_archive_place *place, elm_error *err)
{
    *out = NULL;
    if (place->bytes == NULL && check_file(place->name, err) != 0)
        return -1;
    elm_archive *archive = elm_alloc(1, sizeof *archive, err);
    if (archive == NULL)
        return -1;
    snprintf(archive->name, sizeof archive->name, "%s", place->name);
    archive->descriptor = -1;
    archive->in_memory = place->bytes != NULL;
    archive->reader = archive_read_new();
    if (archive->reader == NULL) {
        elm_error_set(err, ELM_EXIT_FAILURE, "out of memory (%s): close other programs", place->name);
        goto fail;
    }
    if (open_reader(archive, place) != 0) {
        read_error(archive, err);
        goto fail;
    }
    *out = archive;
    return 0;
fail:
    elm_archive_close(archive);
    return -1;
}

void elm_archive_close(elm_archive *archive)
{
    if (archive == NULL)
        return;
    archive_read_free(archive->reader);
    elm_unpacked_destroy(archive->unpacked);
    if (archive->descriptor >= 0)
        close(archive->descriptor);
    elm_free(archive->block);
    elm_free(archive);
}

/* libarchive's callbacks for an inner archive that stands in the outermost file as it is. */
static la_ssize_t read_region(struct archive *reader, void *context, const void **block)
{
    elm_archive *archive = context;
    const int64_t left = archive->end - archive->next;
    ssize_t count;
    do {
        count = pread(archive->descriptor, archive->block, (size_t)(left < READ_BYTES ? left : READ_BYTES), (off_t)archive->next);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        archive_set_error(reader, errno, "%s", strerror(errno));
    else
        archive->next += count;
    *block = archive->block;
    return count;
}

static la_int64_t skip_region(struct archive *reader, void *context, la_int64_t count)
{
    (void)reader;
    elm_archive *archive = context;
    const int64_t left = archive->end - archive->next, skipped = count < left ? count : left;
    archive->next += skipped;
    return skipped;
}

/* Of an inner archive whose bytes come out of the outer one only as they are unpacked. */
static la_ssize_t read_entry(struct archive *reader, void *context, const void **block)
{
    elm_archive *archive = context;
    const la_ssize_t count = archive_read_data(archive->outer->reader, archive->block, READ_BYTES);
    if (count < 0) {
        const char *cause = elm_unpacked_cause(archive->outer->unpacked);
        archive_set_error(reader, EIO, "%s", cause != NULL ? cause : archive_error_string(archive->outer->reader));
    }
    *block = archive->block;
    return count;
}

static int open_inner_reader(elm_archive *archive, const elm_archive_entry *entry)
{
    elm_unpacked_support(archive->reader);
    support_formats(archive->reader);
    if (entry->offset < 0)
        return archive_read_open(archive->reader, archive, NULL, read_entry, NULL);
    archive->base = archive->next = entry->offset;
    archive->end = entry->offset + entry->size_bytes;
    return archive_read_open2(archive->reader, archive, NULL, read_region, skip_region, NULL);
}

int elm_archive_open_inner(elm_archive **out, elm_archive *outer, const elm_archive_entry *entry, elm_error *err)
{
    *out = NULL;
    if (outer->outer != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "an archive in an archive in an archive (%s: %s): unpack the outer one first",
                             outer->name, entry->path);
    elm_archive *archive = elm_alloc(1, sizeof *archive, err);
    if (archive == NULL)
        return -1;
    archive->outer = outer;
    archive->descriptor = entry->offset >= 0 ? open(outer->name, O_RDONLY | O_CLOEXEC) : -1;
    archive->block = elm_alloc(READ_BYTES, 1, err);
    archive->reader = archive->block != NULL ? archive_read_new() : NULL;
    snprintf(archive->name, sizeof archive->name, "%.2000s: %.2000s", outer->name, entry->path);
    if (archive->reader == NULL || (entry->offset >= 0 && archive->descriptor < 0)) {
        elm_error_set(err, ELM_EXIT_FAILURE, "cannot open the archive (%s): %s: close other programs", archive->name, strerror(errno));
        goto fail;
    }
    if (open_inner_reader(archive, entry) != ARCHIVE_OK) {
        read_error(archive, err);
        goto fail;
    }
    *out = archive;
    return 0;
fail:
    elm_archive_close(archive);
    return -1;
}

int64_t elm_archive_position(const elm_archive *archive)
{
    if (archive->outer != NULL)
        return archive->descriptor >= 0 ? archive->next : elm_archive_position(archive->outer);
    return archive->unpacked != NULL ? elm_unpacked_position(archive->unpacked) : archive_filter_bytes(archive->reader, -1);
}

/* Where the current entry's bytes stand in the file: behind what has been read, which is the entry's header. */
static int64_t entry_offset(const elm_archive *archive)
{
    const bool is_tar = (archive_format(archive->reader) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    const bool is_plain = archive->unpacked == NULL && !archive->in_memory && archive_filter_count(archive->reader) == 1;
    if (!is_tar || !is_plain || (archive->outer != NULL && archive->descriptor < 0))
        return -1;
    return archive->base + archive_filter_bytes(archive->reader, 0);
}

int elm_archive_next(elm_archive *archive, elm_archive_entry *out, elm_error *err)
{
    struct archive_entry *entry = NULL;
    for (;;) {
        const int result = archive_read_next_header(archive->reader, &entry);
        if (result == ARCHIVE_EOF) {
            if (archive->unpacked != NULL && elm_unpacked_finish(archive->unpacked, archive->reader) != 0)
                return read_error(archive, err);
            return 0;
        }
        if (result < ARCHIVE_WARN)
            return read_error(archive, err);
        if (elm_unpacked_is_bomb(archive_filter_bytes(archive->reader, 0), archive_filter_bytes(archive->reader, -1))) {
            archive_set_error(archive->reader, EIO, "%s",
                              elm_unpacked_bomb); /* an inner archive, which is decompressed by its own reader */
            return read_error(archive, err);
        }
        const char *path = archive_entry_pathname(entry);
        snprintf(archive->entry, sizeof archive->entry, "%s", path != NULL ? path : "?");
        if (archive_entry_filetype(entry) == AE_IFREG && archive_entry_hardlink(entry) == NULL)
            break;
    }
    const char *slash = strrchr(archive->entry, '/');
    *out =
        (elm_archive_entry){archive->entry, slash != NULL ? slash + 1 : archive->entry, archive_entry_size(entry), entry_offset(archive)};
    return 1;
}

int elm_archive_read(elm_archive *archive, void *bytes, size_t size_bytes, elm_error *err)
{
    size_t done = 0;
    while (done < size_bytes) {
        const la_ssize_t count = archive_read_data(archive->reader, (char *)bytes + done, size_bytes - done);
        if (count < 0)
            return read_error(archive, err);
        if (count == 0)
            return elm_error_set(err, ELM_EXIT_FAILURE, "truncated archive (%s, entry %s ends after %zu of %zu bytes): download it again",
                                 archive->name, archive->entry, done, size_bytes);
        done += (size_t)count;
    }
    return 0;
}

static elm_archive_file *find_file(elm_archive_file *files, int count, const char *base)
{
    for (int i = 0; i < count; i++)
        if (strcmp(files[i].base, base) == 0)
            return &files[i];
    return NULL;
}

static int check_entry(const elm_archive *archive, const elm_archive_file *file, const elm_archive_entry *entry, const char *advice,
                       elm_error *err)
{
    if (file->bytes != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "the archive holds %s twice (%s, the second is %s): %s", file->base, archive->name,
                             entry->path, advice);
    if (entry->size_bytes < file->min_bytes || entry->size_bytes > file->max_bytes)
        return elm_error_set(err, ELM_EXIT_FAILURE, "wrong size (%s, entry %s): %lld bytes instead of %s%lld: %s", archive->name,
                             entry->path, (long long)entry->size_bytes, file->min_bytes == file->max_bytes ? "" : "at most ",
                             (long long)file->max_bytes, advice);
    return 0;
}

static int fetch_entry(elm_archive *archive, elm_archive_file *file, const elm_archive_entry *entry, elm_archive_progress progress,
                       elm_error *err)
{
    file->size_bytes = entry->size_bytes;
    file->bytes = elm_alloc((size_t)file->size_bytes + 1, 1, err);
    if (file->bytes == NULL)
        return -1;
    for (int64_t done = 0; done < file->size_bytes;) {
        const int64_t left = file->size_bytes - done, chunk = left < CHUNK_BYTES ? left : CHUNK_BYTES;
        if (elm_archive_read(archive, file->bytes + done, (size_t)chunk, err) != 0)
            return -1;
        done += chunk;
        if (progress.report != NULL)
            progress.report(progress.context, entry->base, (double)done / (double)file->size_bytes);
    }
    return 0;
}

int elm_archive_fetch(const elm_archive_place *place, elm_archive_file *files, int count, const char *advice, elm_archive_progress progress,
                      elm_error *err)
{
    for (int i = 0; i < count; i++)
        files[i].bytes = NULL;
    elm_archive *archive = NULL;
    if (elm_archive_open(&archive, place, err) != 0)
        return -1;
    elm_archive_entry entry = {"", "", 0, -1};
    int status;
    while ((status = elm_archive_next(archive, &entry, err)) == 1) {
        elm_archive_file *file = find_file(files, count, entry.base);
        if (file != NULL &&
            (check_entry(archive, file, &entry, advice, err) != 0 || fetch_entry(archive, file, &entry, progress, err) != 0)) {
            status = -1;
            break;
        }
    }
    elm_archive_close(archive);
    for (int i = 0; status == 0 && i < count; i++)
        if (files[i].bytes == NULL)
            status = elm_error_set(err, ELM_EXIT_FAILURE, "the archive lacks %s (%s): %s", files[i].base, place->name, advice);
    return status;
}

void elm_archive_free(elm_archive_file *files, int count)
{
    for (int i = 0; i < count; i++) {
        elm_free(files[i].bytes);
        files[i].bytes = NULL;
    }
}
