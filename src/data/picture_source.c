#include "data/picture_source.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/archive.h"
#include "elmpi/memory.h"

enum { PATH_BYTES = 4096 };

struct elm_picture_source {
    char name[PATH_BYTES]; /* of the archive or folder */
    char path[PATH_BYTES]; /* of the current file */
    int64_t size_bytes;    /* of the current file */

    elm_archive *archive, *inner;
    elm_archive_entry inner_entry; /* of the outer archive; its texts stay until the outer one moves on */
    int64_t archive_bytes;

    FTS *walk;
    char file[PATH_BYTES]; /* the current file, for opening */
    size_t prefix;         /* length of the folder's own path in it */
    int64_t files, passed;
};

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static FTS *start_walk(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s", folder);
    char *const roots[] = {path, NULL};
    return fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
}

static int open_folder(elm_picture_source *source, elm_error *err)
{
    FTS *count = start_walk(source->name);
    for (FTSENT *entry; count != NULL && (entry = fts_read(count)) != NULL;)
        source->files += entry->fts_info == FTS_F;
    if (count != NULL)
        fts_close(count);
    source->walk = start_walk(source->name);
    if (source->walk == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the folder (%s): %s: check its permissions", source->name,
                             strerror(errno));
    source->prefix = strlen(source->name);
    while (source->prefix > 1 && source->name[source->prefix - 1] == '/') /* fts leaves them out */
        source->prefix--;
    return 0;
}

int elm_picture_source_open(elm_picture_source **out, const char *path, elm_error *err)
{
    *out = NULL;
    struct stat about = {0};
    elm_picture_source *source = elm_alloc(1, sizeof *source, err);
    if (source == NULL)
        return -1;
    int status = 0;
    if (snprintf(source->name, sizeof source->name, "%s", path) >= (int)sizeof source->name)
        status = elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): move it", path);
    else if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        status = open_folder(source, err);
    else
        status = elm_archive_open(&source->archive, &(elm_archive_place){.name = source->name}, err);
    source->archive_bytes = about.st_size;
    if (status != 0) {
        elm_picture_source_close(source);
        return -1;
    }
    *out = source;
    return 0;
}

void elm_picture_source_close(elm_picture_source *source)
{
    if (source == NULL)
        return;
    elm_archive_close(source->inner);
    elm_archive_close(source->archive);
    if (source->walk != NULL)
        fts_close(source->walk);
    elm_free(source);
}

static int next_in_folder(elm_picture_source *source, elm_source_file *file, elm_error *err)
{
    FTSENT *entry;
    while (errno = 0, (entry = fts_read(source->walk)) != NULL) {
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
            return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the folder (%s): %s: check its permissions", entry->fts_path,
                                 strerror(entry->fts_errno));
        const bool link = entry->fts_info == FTS_SL || entry->fts_info == FTS_SLNONE;
        if (entry->fts_info != FTS_F && !link)
            continue;
        snprintf(source->file, sizeof source->file, "%s", entry->fts_path);
        snprintf(source->path, sizeof source->path, "%s", entry->fts_path + source->prefix + 1);
        source->size_bytes = link ? 0 : entry->fts_statp->st_size;
        source->passed += !link;
        *file = (elm_source_file){source->path, source->size_bytes, -1, link ? "a symbolic link" : NULL};
        return 1;
    }
    return errno == 0 ? 0 : elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the folder (%s): %s", source->name, strerror(errno));
}

static bool ends_in_tar(const char *path)
{
    const size_t length = strlen(path);
    return length > 4 && strcasecmp(path + length - 4, ".tar") == 0;
}

/* Inner archives are opened as they come up; their files bear the archive's name, less ".tar", in front. */
static int next_in_archive(elm_picture_source *source, elm_source_file *file, elm_error *err)
{
    elm_archive_entry entry;
    for (;;) {
        elm_archive *from = source->inner != NULL ? source->inner : source->archive;
        const int status = elm_archive_next(from, &entry, err);
        if (status < 0)
            return -1;
        if (status == 0 && source->inner == NULL)
            return 0;
        if (status == 0) {
            elm_archive_close(source->inner);
            source->inner = NULL;
            continue;
        }
        if (source->inner != NULL || !ends_in_tar(entry.path))
            break;
        source->inner_entry = entry;
        if (elm_archive_open_inner(&source->inner, source->archive, &entry, err) != 0)
            return -1;
    }
    if (source->inner != NULL)
        snprintf(source->path, sizeof source->path, "%.*s/%s", (int)strlen(source->inner_entry.path) - 4, source->inner_entry.path,
                 entry.path);
    else
        snprintf(source->path, sizeof source->path, "%s", entry.path);
    source->size_bytes = entry.size_bytes;
    *file = (elm_source_file){source->path, entry.size_bytes, entry.offset, NULL};
    return 1;
}

int elm_picture_source_next(elm_picture_source *source, elm_source_file *file, elm_error *err)
{
    return source->walk != NULL ? next_in_folder(source, file, err) : next_in_archive(source, file, err);
}

static int read_in_folder(const elm_picture_source *source, uint8_t *bytes, elm_error *err)
{
    const int descriptor = open(source->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int64_t done = 0;
    ssize_t count = descriptor >= 0 ? 1 : -1;
    while (descriptor >= 0 && done < source->size_bytes && count > 0) {
        count = read(descriptor, bytes + done, (size_t)(source->size_bytes - done));
        if (count < 0 && errno == EINTR)
            count = 1;
        else if (count > 0)
            done += count;
    }
    const int cause = errno;
    if (descriptor >= 0)
        close(descriptor);
    if (done == source->size_bytes && descriptor >= 0)
        return 0;
    return elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the file (%s): %s: check its permissions and the disk", source->file,
                         count < 0 ? strerror(cause) : "it has become shorter");
}

int elm_picture_source_read(elm_picture_source *source, uint8_t *bytes, elm_error *err)
{
    if (source->walk != NULL)
        return read_in_folder(source, bytes, err);
    return elm_archive_read(source->inner != NULL ? source->inner : source->archive, bytes, (size_t)source->size_bytes, err);
}

double elm_picture_source_share(const elm_picture_source *source)
{
    if (source->walk != NULL)
        return source->files > 0 ? (double)source->passed / (double)source->files : 1;
    const int64_t position = elm_archive_position(source->inner != NULL ? source->inner : source->archive);
    return source->archive_bytes > 0 ? (double)position / (double)source->archive_bytes : 1;
}
