#include "prepare/index_places.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/image_digest.h"

enum { COMMIT_EVERY = 4096 };
static const int64_t default_shard_bytes = INT64_C(1) << 30;

/* Journal lines of shards come before those of their images or in the same batch. */
static int note_shard(elm_index_build *job, int shard, int64_t size_bytes, bool copied,
                      elm_error *err)
{
    elm_index_shard *own = &job->shards[shard];
    own->size_bytes = size_bytes;
    if (own->known)
        return 0;
    own->known = true;
    return elm_journal_add(
        job->journal,
        &(elm_journal_entry){
            .shard = shard, .shard_bytes = size_bytes, .copied = copied, .path = own->path},
        err);
}

int elm_places_finish_shard(elm_index_build *job, elm_error *err)
{
    elm_shard_writer *writer = job->writer;
    int64_t size_bytes = 0;
    job->writer = NULL;
    if (elm_shard_writer_finish(writer, &size_bytes, err) != 0 ||
        note_shard(job, job->writing, size_bytes, true, err) != 0)
        return -1;
    job->waiting = 0;
    return elm_journal_commit(job->journal, err);
}

static int start_shard(elm_index_build *job, elm_error *err)
{
    char path[IMAGE_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s-%08x-%05d.tar", job->stem, (unsigned)job->request_hash,
             job->shard_count);
    const char *slash = strrchr(path, '/');
    job->writing = elm_index_build_shard(job, slash != NULL ? slash + 1 : path, err);
    return job->writing < 0 ? -1 : elm_shard_writer_create(&job->writer, path, err);
}

/* A shard ends behind the image that fills it, whatever came before: a repeated run cuts at
 * the same places. */
static int copy_image(elm_index_build *job, elm_image_item *item, const uint8_t *bytes,
                      size_t size_bytes, elm_error *err)
{
    const int64_t limit = job->request->image_files.shard_bytes > 0
                              ? job->request->image_files.shard_bytes
                              : default_shard_bytes;
    if (job->writer == NULL && start_shard(job, err) != 0)
        return -1;
    item->place.shard = job->writing;
    return elm_shard_writer_add(job->writer, item->name, bytes, size_bytes, &item->place.offset,
                                err) != 0
               ? -1
           : elm_shard_writer_size(job->writer) < limit ? 0
                                                        : 1;
}

static bool equals_there(int descriptor, int64_t offset, const uint8_t *bytes, size_t count)
{
    uint8_t found[64];
    return pread(descriptor, found, count, (off_t)offset) == (ssize_t)count &&
           memcmp(found, bytes, count) == 0;
}

/* The offset follows from how libarchive reads; the file itself is asked, at both ends of the
 * image, whether it is right: a sparse entry, say, lies there in another form. */
static bool stands_there(const elm_archive_walk *walk, int64_t offset, const uint8_t *bytes,
                         size_t size_bytes)
{
    const size_t count = size_bytes < 64 ? size_bytes : 64, last = size_bytes - count;
    return offset >= 0 && walk->descriptor >= 0 &&
           offset <= walk->size_bytes - (int64_t)size_bytes &&
           equals_there(walk->descriptor, offset, bytes, count) &&
           equals_there(walk->descriptor, offset + (int64_t)last, bytes + last, count);
}

/* As the store records it: relative to its folder where the archive lies in there. */
static int shard_of_archive(elm_index_build *job, elm_archive_walk *walk, elm_error *err)
{
    if (walk->shard >= 0)
        return 0;
    char *path = realpath(walk->name, NULL), *folder = realpath(job->folder, NULL);
    int status = -1;
    if (path == NULL || folder == NULL) {
        elm_error_set(err, ELM_EXIT_FAILURE,
                      "cannot find the archive (%s): %s: leave it where it is", walk->name,
                      strerror(errno));
    } else {
        const size_t length = strlen(folder);
        const bool inside = strncmp(path, folder, length) == 0 && path[length] == '/';
        walk->shard = elm_index_build_shard(job, inside ? path + length + 1 : path, err);
        status = walk->shard < 0 ? -1 : note_shard(job, walk->shard, walk->size_bytes, false, err);
        if (status == 0 && !inside)
            elm_log_info(job->request->log,
                         "%s lies outside of the store's folder: train with data.shards set to its "
                         "folder, or with data.outside=allow (or "
                         "make the store with --copy, or beside the archive).",
                         path);
    }
    free(path);
    free(folder);
    return status;
}

/* The image has its place: it is written down, and a shard that it filled is ended. */
int elm_places_note(elm_index_build *job, elm_image_item *item, bool full, elm_error *err)
{
    item->placed = true;
    job->waiting++;
    if (elm_journal_add(job->journal,
                        &(elm_journal_entry){.name = item->name, .place = item->place}, err) != 0)
        return -1;
    if (full)
        return elm_places_finish_shard(job, err);
    /* with a shard under way, its images must wait for its end */
    if (job->writer == NULL && job->waiting >= COMMIT_EVERY) {
        job->waiting = 0;
        return elm_journal_commit(job->journal, err);
    }
    return 0;
}

int elm_places_copy(elm_index_build *job, elm_image_item *item, const uint8_t *bytes,
                    size_t size_bytes, elm_error *err)
{
    item->place.length = (uint32_t)size_bytes;
    item->place.digest = elm_image_digest(bytes, size_bytes);
    const int full = copy_image(job, item, bytes, size_bytes, err);
    return full < 0 ? -1 : elm_places_note(job, item, full != 0, err);
}

int elm_places_add(elm_index_build *job, elm_archive_walk *walk, elm_image_item *item,
                   int64_t offset, const uint8_t *bytes, size_t size_bytes, elm_error *err)
{
    int full = 0;
    item->place.length = (uint32_t)size_bytes;
    item->place.digest = elm_image_digest(bytes, size_bytes);
    if (!job->request->image_files.copy && stands_there(walk, offset, bytes, size_bytes)) {
        if (shard_of_archive(job, walk, err) != 0)
            return -1;
        item->place.shard = walk->shard;
        item->place.offset = offset;
    } else if ((full = copy_image(job, item, bytes, size_bytes, err)) < 0) {
        return -1;
    }
    return elm_places_note(job, item, full != 0, err);
}
