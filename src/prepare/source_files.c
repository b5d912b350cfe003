#include "prepare/source_files.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "prepare/archives/archive_entries.h"
#include "prepare/archives/archive_names.h"
#include "prepare/folders/names.h"
#include "prepare/sets/manifest.h"

enum { PATH_BYTES = 4096, ARCHIVES_MAX = 10 };

/** An archive that is being read, and what stands in front of the paths of its files. */
typedef struct open_archive {
    elm_archive *archive;
    char prefix[PATH_BYTES]; /* "", or "n01440764/" */
} open_archive;

struct elm_image_source {
    char name[PATH_BYTES]; /* of the archive or folder */
    char front[256];       /* of all paths */
    char path[PATH_BYTES]; /* of the current file */
    int64_t size_bytes;    /* of the current file */

    open_archive archives[ARCHIVES_MAX]; /* each within the one before */
    int depth;                           /* how many are open */
    int64_t archive_bytes;
    char link[PATH_BYTES]; /* where the current link leads */

    FTS *walk;
    char file[PATH_BYTES]; /* the current file, for opening */
    size_t prefix;         /* length of the folder's own path in it */
    int64_t files, passed;
    bool images; /* there are some that lie in no archive */
};

/* Why a file must be left out. */
typedef struct source_problem {
    elm_rejects_kind kind;
    const char *text;
} source_problem;
static const source_problem
    special = {ELM_REPORT_SPECIAL, "a pipe, socket or device, no regular file"},
    nowhere = {ELM_REPORT_LINK, "a symbolic link that leads nowhere"},
    circle = {ELM_REPORT_LINK, "a symbolic link to a folder that it lies in"},
    outside = {ELM_REPORT_LINK, "a link that leads out of the archive"},
    archive_beside = {ELM_REPORT_ARCHIVE,
                      "an archive beside images: give it with --archive, too, if it is wanted"};

/* The current file, which nobody reads. Returns 1. */
static int leave_out(elm_image_source *source, const source_problem *problem, elm_source_file *file)
{
    source->size_bytes = 0;
    *file = (elm_source_file){
        .path = source->path, .offset = -1, .problem = problem->text, .kind = problem->kind};
    return 1;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static FTS *start_walk(const char *folder)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s", folder);
    char *const roots[] = {path, NULL};
    return fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
}

static int open_folder(elm_image_source *source, elm_error *err)
{
    FTS *count = start_walk(source->name);
    for (FTSENT *entry; count != NULL && (entry = fts_read(count)) != NULL;) {
        source->files += entry->fts_info == FTS_F;
        source->images |=
            entry->fts_info == FTS_F && elm_image_name_kind(entry->fts_name) != ELM_NAME_OTHER;
    }
    if (count != NULL)
        fts_close(count);
    source->walk = start_walk(source->name);
    if (source->walk == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot read the folder (%s): %s: check its permissions", source->name,
                             strerror(errno));
    source->prefix = strlen(source->name);
    while (source->prefix > 1 && source->name[source->prefix - 1] == '/') /* fts leaves them out */
        source->prefix--;
    return 0;
}

/* libarchive reads nothing as an archive of nothing: a class would be gone. */
static int nothing_in_it(const elm_image_source *source, const char *path, elm_error *err)
{
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "an empty file instead of an archive (%s, %s): download it again, or remove it",
        source->name, path);
}

static int open_outer(elm_image_source *source, const char *path, const char *prefix,
                      elm_error *err)
{
    open_archive *first = &source->archives[0];
    struct stat about;
    if (stat(path, &about) == 0 && S_ISREG(about.st_mode) && about.st_size == 0)
        return nothing_in_it(source, path, err);
    snprintf(first->prefix, sizeof first->prefix, "%s", prefix);
    if (elm_archive_open(&first->archive, &(elm_archive_place){.name = path}, err) != 0)
        return -1;
    elm_archive_show_links(first->archive);
    source->depth = 1;
    return 0;
}

int elm_image_source_open(elm_image_source **out, const char *path, const char *front,
                          elm_error *err)
{
    *out = NULL;
    struct stat about = {0};
    elm_image_source *source = elm_alloc(1, sizeof *source, err);
    if (source == NULL)
        return -1;
    int status = 0;
    snprintf(source->front, sizeof source->front, "%s", front);
    if (snprintf(source->name, sizeof source->name, "%s", path) >= (int)sizeof source->name)
        status = elm_error_set(err, ELM_EXIT_USAGE, "path too long (%.80s...): move it", path);
    else if (stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        status = open_folder(source, err);
    else
        status = open_outer(source, source->name, source->front, err);
    source->archive_bytes = about.st_size;
    if (status != 0) {
        elm_image_source_close(source);
        return -1;
    }
    *out = source;
    return 0;
}

void elm_image_source_close(elm_image_source *source)
{
    if (source == NULL)
        return;
    while (source->depth > 0)
        elm_archive_close(source->archives[--source->depth].archive);
    if (source->walk != NULL)
        fts_close(source->walk);
    elm_free(source);
}

static int path_too_long(const elm_image_source *source, const char *path, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "a path of more than %d bytes (%s, %.80s...): shorten it", PATH_BYTES - 1,
                         source->name, path);
}

/* "n01440764.tar": the path of its files begins with "n01440764/". */
static int open_inner(elm_image_source *source, const elm_archive_entry *entry, size_t stem,
                      elm_error *err)
{
    open_archive *outer = &source->archives[source->depth - 1], *inner = outer + 1;
    if (entry->size_bytes == 0)
        return nothing_in_it(source, entry->path, err);
    if (source->depth == ARCHIVES_MAX)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "too many archives within each other (%s, %s): unpack the outer ones",
                             source->name, entry->path);
    char prefix[sizeof inner->prefix];
    if (snprintf(prefix, sizeof prefix, "%s%.*s/", outer->prefix, (int)stem, entry->path) >=
        (int)sizeof prefix)
        return path_too_long(source, entry->path, err);
    memcpy(inner->prefix, prefix, sizeof prefix);
    if (elm_archive_open_inner(&inner->archive, outer->archive, entry, err) != 0)
        return -1;
    elm_archive_show_links(inner->archive);
    source->depth++;
    return 0;
}

static int take_link(elm_image_source *source, const open_archive *from,
                     const elm_archive_entry *entry, elm_source_file *file, elm_error *err)
{
    char target[PATH_BYTES];
    if (!elm_archive_link_target(entry->path, entry->link, entry->hard, target, sizeof target))
        return leave_out(source, &outside, file);
    if (snprintf(source->link, sizeof source->link, "%s%s", from->prefix, target) >=
        (int)sizeof source->link)
        return path_too_long(source, entry->path, err);
    elm_name_clean(source->link);
    source->size_bytes = 0;
    *file = (elm_source_file){.path = source->path, .offset = -1, .link = source->link};
    return 1;
}

/* Inner archives are opened as they come up; their files bear the archive's name, less its
 * ending, in front. */
static int next_in_archive(elm_image_source *source, elm_source_file *file, elm_error *err)
{
    elm_archive_entry entry;
    while (source->depth > 0) {
        const open_archive *from = &source->archives[source->depth - 1];
        size_t stem;
        const int status = elm_archive_next(from->archive, &entry, err);
        if (status < 0)
            return -1;
        if (status == 0) {
            elm_archive_close(from->archive);
            source->depth--;
            continue;
        }
        if (entry.link == NULL && elm_archive_is_name(entry.path, &stem)) {
            if (open_inner(source, &entry, stem, err) != 0)
                return -1;
            continue;
        }
        if (snprintf(source->path, sizeof source->path, "%s%s", from->prefix, entry.path) >=
            (int)sizeof source->path)
            return path_too_long(source, entry.path, err);
        elm_name_clean(source->path);
        if (entry.link != NULL)
            return take_link(source, from, &entry, file, err);
        if (entry.special)
            return leave_out(source, &special, file);
        source->size_bytes = entry.size_bytes;
        *file = (elm_source_file){.path = source->path,
                                  .size_bytes = entry.size_bytes,
                                  .offset = source->walk == NULL ? entry.offset : -1};
        return 1;
    }
    return 0;
}

static const source_problem *folder_problem(const FTSENT *entry)
{
    return entry->fts_info == FTS_SLNONE    ? &nowhere
           : entry->fts_info == FTS_DC      ? &circle
           : entry->fts_info == FTS_DEFAULT ? &special
                                            : NULL;
}

/* 1: a file, 0: the folder has no more, 2: an archive has been opened. */
static int next_in_walk(elm_image_source *source, elm_source_file *file, elm_error *err)
{
    FTSENT *entry;
    while (errno = 0, (entry = fts_read(source->walk)) != NULL) {
        size_t stem;
        if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "cannot read the folder (%s): %s: check its permissions",
                                 entry->fts_path, strerror(entry->fts_errno));
        const source_problem *problem = folder_problem(entry);
        const char *path = entry->fts_path + source->prefix + 1;
        if (entry->fts_info != FTS_F && problem == NULL)
            continue;
        if (strlen(entry->fts_path) >= sizeof source->file)
            return path_too_long(source, path, err);
        snprintf(source->file, sizeof source->file, "%s", entry->fts_path);
        if (snprintf(source->path, sizeof source->path, "%s%s", source->front, path) >=
            (int)sizeof source->path)
            return path_too_long(source, path, err);
        source->passed += problem == NULL;
        const bool archive = problem == NULL && elm_archive_is_name(path, &stem);
        if (archive && source->images) /* often what they have been unpacked from */
            problem = &archive_beside;
        if (problem != NULL)
            return leave_out(source, problem, file);
        if (archive) {
            char prefix[PATH_BYTES];
            if (snprintf(prefix, sizeof prefix, "%s%.*s/", source->front, (int)stem, path) >=
                (int)sizeof prefix)
                return path_too_long(source, path, err);
            return open_outer(source, source->file, prefix, err) == 0 ? 2 : -1;
        }
        source->size_bytes = entry->fts_statp->st_size;
        *file =
            (elm_source_file){.path = source->path, .size_bytes = source->size_bytes, .offset = -1};
        return 1;
    }
    return errno == 0 ? 0
                      : elm_error_set(err, ELM_EXIT_FAILURE, "cannot read the folder (%s): %s",
                                      source->name, strerror(errno));
}

int elm_image_source_next(elm_image_source *source, elm_source_file *file, elm_error *err)
{
    for (int status = 2; status == 2;) {
        if (source->depth > 0 && (status = next_in_archive(source, file, err)) != 0)
            return status;
        status = source->walk != NULL ? next_in_walk(source, file, err) : 0;
        if (status != 2)
            return status;
    }
    return 0;
}

static int read_in_folder(const elm_image_source *source, uint8_t *bytes, elm_error *err)
{
    const int descriptor = open(source->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
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
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "cannot read the file (%s): %s: check its permissions and the disk",
                         source->file, count < 0 ? strerror(cause) : "it has become shorter");
}

int elm_image_source_read(elm_image_source *source, uint8_t *bytes, elm_error *err)
{
    if (source->depth == 0)
        return read_in_folder(source, bytes, err);
    return elm_archive_read(source->archives[source->depth - 1].archive, bytes,
                            (size_t)source->size_bytes, err);
}

double elm_image_source_share(const elm_image_source *source)
{
    if (source->walk != NULL)
        return source->files > 0 ? (double)source->passed / (double)source->files : 1;
    const int64_t position = source->depth > 0
                                 ? elm_archive_position(source->archives[source->depth - 1].archive)
                                 : source->archive_bytes;
    return position < source->archive_bytes ? (double)position / (double)source->archive_bytes : 1;
}
