/* Through the archives, file by file: each picture wanted is read, checked, and left where it
 * lies or copied into a shard. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu/threads.h"
#include "base/file/io.h"
#include "elmpi/memory.h"
#include "image/decode_queue.h"
#include "image/header.h"
#include "image/resize.h"
#include "prepare/folders/folders.h"
#include "prepare/folders/links.h"
#include "prepare/folders/names.h"
#include "prepare/index_scan.h"
#include "prepare/source_files.h"
#include "store/image_digest.h"

enum { COMMIT_EVERY = 4096, FILE_BYTES_MAX = 1 << 28 };
static const int64_t default_shard_bytes = INT64_C(1) << 30;
static const double show_every = 0.2; /* seconds */

/** An archive on its way. */
typedef struct archive_walk {
    elm_picture_source *source;
    const char *name; /* as given */
    char front[PICTURE_FRONT_BYTES];
    bool folder;    /* what cannot be read there is one file, not the rest of an archive */
    int descriptor; /* of an archive that may be indexed in place, or -1 */
    int shard;      /* its number, or -1: not used yet */
    int64_t size_bytes;
    int64_t links; /* met so far */
} archive_walk;

/* How much of the work is done: with lists, of the pictures; without, nobody knows how many
 * there are, so of the archives' bytes. */
static double share_done(const elm_picture_job *job, const archive_walk *walk)
{
    const int64_t listed = elm_catalogue_count(job->catalogue);
    if (job->listed)
        return listed > 0 ? (double)job->progress.pictures / (double)listed : 0;
    const double part = elm_picture_source_share(walk->source) * job->progress.current_bytes;
    return job->progress.all_bytes > 0 ? (job->progress.done_bytes + part) / job->progress.all_bytes
                                       : 0;
}

/* The pace is that of pictures that an interrupted preparation had not done before. */
static void show_progress(elm_picture_job *job, const archive_walk *walk)
{
    const elm_prepare_request *request = job->request;
    const double now = elm_io_seconds(), elapsed = now - job->progress.started;
    if (request->progress == NULL || now - job->progress.shown < show_every)
        return;
    job->progress.shown = now;
    const double share = share_done(job, walk),
                 fresh = (double)(job->progress.pictures - job->progress.earlier);
    /* pictures there will have been */
    const double whole = share > 0 ? (double)job->progress.pictures / share : 0;
    const long left =
        fresh > 0 ? (long)((whole - (double)job->progress.pictures) * elapsed / fresh) : 0;
    const char *slash = strrchr(walk->name, '/');
    char what[200];
    snprintf(what, sizeof what, "%.60s: %lld pictures, %.0f/s, %ld:%02ld:%02ld left",
             slash != NULL && slash[1] != '\0' ? slash + 1 : walk->name,
             (long long)job->progress.pictures, fresh / elapsed, left / 3600, left / 60 % 60,
             left % 60);
    request->progress(request->progress_context, what, share);
}

/* Journal lines of shards come before those of their pictures or in the same batch. */
static int note_shard(elm_picture_job *job, int shard, int64_t size_bytes, bool copied,
                      elm_error *err)
{
    elm_job_shard *own = &job->shards[shard];
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

static int finish_shard(elm_picture_job *job, elm_error *err)
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

static int start_shard(elm_picture_job *job, elm_error *err)
{
    char path[PICTURE_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s-%08x-%05d.tar", job->stem, (unsigned)job->request_hash,
             job->shard_count);
    const char *slash = strrchr(path, '/');
    job->writing = elm_picture_job_shard(job, slash != NULL ? slash + 1 : path, err);
    return job->writing < 0 ? -1 : elm_shard_writer_create(&job->writer, path, err);
}

/* A shard ends behind the picture that fills it, whatever came before: a repeated run cuts at
 * the same places. */
static int copy_picture(elm_picture_job *job, elm_picture_item *item, const uint8_t *bytes,
                        size_t size_bytes, elm_error *err)
{
    const int64_t limit = job->request->pictures.shard_bytes > 0
                              ? job->request->pictures.shard_bytes
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
 * picture, whether it is right: a sparse entry, say, lies there in another form. */
static bool stands_there(const archive_walk *walk, int64_t offset, const uint8_t *bytes,
                         size_t size_bytes)
{
    const size_t count = size_bytes < 64 ? size_bytes : 64, last = size_bytes - count;
    return offset >= 0 && walk->descriptor >= 0 &&
           offset <= walk->size_bytes - (int64_t)size_bytes &&
           equals_there(walk->descriptor, offset, bytes, count) &&
           equals_there(walk->descriptor, offset + (int64_t)last, bytes + last, count);
}

/* As the store tells it: relative to its folder where the archive lies in there. */
static int shard_of_archive(elm_picture_job *job, archive_walk *walk, elm_error *err)
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
        walk->shard = elm_picture_job_shard(job, inside ? path + length + 1 : path, err);
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

/* The picture has its place: it is written down, and a shard that it filled is ended. */
static int note_place(elm_picture_job *job, elm_picture_item *item, bool full, elm_error *err)
{
    item->placed = true;
    job->waiting++;
    if (elm_journal_add(job->journal,
                        &(elm_journal_entry){.name = item->name, .place = item->place}, err) != 0)
        return -1;
    if (full)
        return finish_shard(job, err);
    /* with a shard under way, its pictures must wait for its end */
    if (job->writer == NULL && job->waiting >= COMMIT_EVERY) {
        job->waiting = 0;
        return elm_journal_commit(job->journal, err);
    }
    return 0;
}

static int place_picture(elm_picture_job *job, archive_walk *walk, elm_picture_item *item,
                         int64_t offset, const uint8_t *bytes, size_t size_bytes, elm_error *err)
{
    int full = 0;
    item->place.length = (uint32_t)size_bytes;
    item->place.digest = elm_image_digest(bytes, size_bytes);
    if (!job->request->pictures.copy && stands_there(walk, offset, bytes, size_bytes)) {
        if (shard_of_archive(job, walk, err) != 0)
            return -1;
        item->place.shard = walk->shard;
        item->place.offset = offset;
    } else if ((full = copy_picture(job, item, bytes, size_bytes, err)) < 0) {
        return -1;
    }
    return note_place(job, item, full != 0, err);
}

/* A picture out of the queue: its new file, or its own where that was small enough. */
static int take_resized(void *context, const elm_queued_picture *picture, elm_error *err)
{
    elm_picture_job *job = context;
    elm_picture_item *item = picture->item;
    const elm_resized *made = &picture->resized;
    if (picture->status == ELM_PICTURE_BROKEN)
        return elm_report_add(job->report, ELM_REPORT_UNREADABLE, picture->name, picture->why.text,
                              err);
    if (picture->status != ELM_PICTURE_DONE)
        return elm_error_set(err, picture->why.code, "%s", picture->why.text);
    const uint8_t *bytes = made->bytes != NULL ? made->bytes : picture->bytes;
    const size_t size_bytes = made->bytes != NULL ? made->size_bytes : picture->size_bytes;
    item->place.length = (uint32_t)size_bytes;
    item->place.digest = elm_image_digest(bytes, size_bytes);
    item->place.width = (uint16_t)made->width;
    item->place.height = (uint16_t)made->height;
    const int full = copy_picture(job, item, bytes, size_bytes, err);
    return full < 0 ? -1 : note_place(job, item, full != 0, err);
}

static int queue_picture(elm_picture_job *job, const char *path, elm_picture_item *item,
                         size_t size_bytes, const elm_picture_header *header, elm_error *err)
{
    bool full = false;
    if (elm_resize_queue_add(job->queue, item, path, job->bytes, size_bytes, header, &full, err) !=
        0)
        return -1;
    return full ? elm_resize_queue_flush(job->queue, take_resized, job, err) : 0;
}

/* A picture on its way out of the queue of those that were decoded. */
typedef struct checked {
    elm_picture_job *job;
    archive_walk *walk;
} checked;

static int take_checked(void *context, const elm_checked_picture *picture, elm_error *err)
{
    const checked *c = context;
    elm_picture_item *item = picture->item;
    if (picture->status == ELM_PICTURE_BROKEN)
        return elm_report_add(c->job->report, ELM_REPORT_UNREADABLE, picture->name,
                              picture->why.text, err);
    if (picture->status != ELM_PICTURE_DONE)
        return elm_error_set(err, picture->why.code, "%s", picture->why.text);
    item->place.width = (uint16_t)picture->header.width;
    item->place.height = (uint16_t)picture->header.height;
    return place_picture(c->job, c->walk, item, picture->offset, picture->bytes,
                         picture->size_bytes, err);
}

static int decode_waiting(elm_picture_job *job, archive_walk *walk, elm_error *err)
{
    return job->checks != NULL
               ? elm_decode_queue_flush(job->checks, take_checked, &(checked){job, walk}, err)
               : 0;
}

static int queue_check(elm_picture_job *job, archive_walk *walk, const elm_source_file *file,
                       elm_picture_item *item, const elm_picture_header *header, elm_error *err)
{
    bool full = false;
    const elm_checked_picture picture = {.item = item,
                                         .name = (char *)file->path,
                                         .bytes = job->bytes,
                                         .size_bytes = (size_t)file->size_bytes,
                                         .offset = file->offset,
                                         .header = *header};
    if (elm_decode_queue_add(job->checks, &picture, &full, err) != 0)
        return -1;
    return full ? decode_waiting(job, walk, err) : 0;
}

/* Whether the bytes begin and end as a picture does: ELM_PICTURE_DONE or BROKEN with the reason;
 * -1: memory. */
static int check_picture(elm_picture_job *job, size_t size_bytes, elm_picture_header *header,
                         elm_error *why)
{
    const char *problem = elm_picture_header_read(header, job->bytes, size_bytes);
    return problem != NULL ? elm_picture_broken(why, problem) : ELM_PICTURE_DONE;
}

static int room_for(elm_picture_job *job, size_t size_bytes, elm_error *err)
{
    if (size_bytes <= job->capacity)
        return 0;
    elm_free(job->bytes);
    job->bytes = elm_alloc(2 * size_bytes, 1, err);
    job->capacity = job->bytes != NULL ? 2 * size_bytes : 0;
    return job->bytes != NULL ? 0 : -1;
}

/* Reads and checks a file's bytes, as check_picture says; an archive that breaks off is an error
 * of its own. */
static int read_picture(elm_picture_job *job, archive_walk *walk, const elm_source_file *file,
                        elm_picture_header *header, elm_error *why)
{
    if (file->problem != NULL)
        return elm_picture_broken(why, file->problem);
    if (file->size_bytes <= 0 || file->size_bytes > FILE_BYTES_MAX)
        return elm_picture_broken(why, file->size_bytes <= 0 ? "empty" : "too large");
    if (room_for(job, (size_t)file->size_bytes, why) != 0)
        return -1;
    if (elm_picture_source_read(walk->source, job->bytes, why) != 0)
        return walk->folder ? ELM_PICTURE_BROKEN : -1;
    return check_picture(job, (size_t)file->size_bytes, header, why);
}

static int take_picture(elm_picture_job *job, archive_walk *walk, const elm_source_file *file,
                        elm_picture_item *item, elm_error *err)
{
    elm_picture_header header;
    elm_error why = {0};
    const int status = read_picture(job, walk, file, &header, &why);
    if (status == ELM_PICTURE_BROKEN)
        return elm_report_add(job->report,
                              strstr(why.text, "nor PNG: a") != NULL ? ELM_REPORT_FOREIGN
                                                                     : ELM_REPORT_UNREADABLE,
                              file->path, why.text, err);
    if (status != ELM_PICTURE_DONE)
        return elm_error_set(err, why.code, "%s", why.text);
    if (job->queue != NULL)
        return queue_picture(job, file->path, item, (size_t)file->size_bytes, &header, err);
    if (job->checks != NULL)
        return queue_check(job, walk, file, item, &header, err);
    item->place.width = (uint16_t)header.width;
    item->place.height = (uint16_t)header.height;
    return place_picture(job, walk, item, file->offset, job->bytes, (size_t)file->size_bytes, err);
}

static int take_file(elm_picture_job *job, archive_walk *walk, const elm_source_file *file,
                     elm_error *err)
{
    const char *path = file->path, *problem = elm_name_problem(path);
    int status = 0;
    if (file->link != NULL) {
        walk->links++;
        return 0;
    }
    if (problem != NULL)
        return elm_report_add(job->report, ELM_REPORT_UNSAFE, file->path, problem, err);
    if (file->problem != NULL && !job->listed)
        return elm_picture_path_hidden(path, NULL)
                   ? 0
                   : elm_report_add(job->report,
                                    strstr(file->problem, "archive beside") != NULL
                                        ? ELM_REPORT_ARCHIVE
                                        : ELM_REPORT_LINK,
                                    path, file->problem, err);
    elm_picture_item *item = elm_picture_job_item(job, path, &status, err);
    if (item == NULL)
        return status;
    if (!item->earlier && item->settled)
        return elm_report_add(job->report, ELM_REPORT_TWICE, file->path, walk->name, err);
    job->progress.pictures++;
    item->settled = true;
    if (item->earlier) {
        job->progress.earlier++;
        item->earlier = false;
        return 0;
    }
    return take_picture(job, walk, file, item, err);
}

static int walk_files(elm_picture_job *job, archive_walk *walk, elm_error *err)
{
    elm_source_file file;
    int status;
    while ((status = elm_picture_source_next(walk->source, &file, err)) == 1) {
        if (take_file(job, walk, &file, err) != 0)
            return -1;
        show_progress(job, walk);
    }
    if (status == 0)
        return decode_waiting(job, walk, err);
    /* of an archive that breaks off: what came before is done, and need not be done again */
    decode_waiting(job, walk, NULL);
    return status;
}

/* Reads the file that links lead to, once for the first of them; the others get its place. */
static int take_linked_file(elm_picture_job *job, archive_walk *walk, const elm_source_file *file,
                            const elm_linked_pictures *linked, int64_t first, elm_error *err)
{
    elm_picture_item *item = linked->items[first].item;
    job->progress.pictures++;
    return item->placed ? 0 : take_picture(job, walk, file, item, err);
}

static int64_t find_linked(const elm_linked_pictures *linked, const char *real)
{
    int64_t low = 0, high = linked->count;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(linked->items[middle].real, real) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < linked->count && strcmp(linked->items[low].real, real) == 0 ? low : -1;
}

/* A place is shared by all names of a file: the picture itself, if it is one of the set, and
 * links. */
static int share_places(elm_picture_job *job, const elm_linked_pictures *linked, elm_error *err)
{
    for (int64_t i = 0, first = 0; i < linked->count; i++) {
        if (strcmp(linked->items[i].real, linked->items[first].real) != 0)
            first = i;
        const elm_picture_item *real = elm_catalogue_exact(job->catalogue, linked->items[i].real);
        const elm_picture_item *from =
            real != NULL && real->placed ? real : linked->items[first].item;
        elm_picture_item *item = linked->items[i].item;
        if (item->placed)
            continue;
        if (!from->placed) {
            if (elm_report_add(job->report, ELM_REPORT_UNREADABLE, item->name,
                               "a link to a file that is unreadable", err) != 0)
                return -1;
            continue;
        }
        item->place = from->place;
        if (note_place(job, item, false, err) != 0)
            return -1;
    }
    return 0;
}

/* Read already, be it in vain. */
static bool is_settled(elm_picture_job *job, const elm_linked_picture *linked)
{
    const elm_picture_item *real = elm_catalogue_exact(job->catalogue, linked->real);
    return linked->item->placed || (real != NULL && (real->placed || real->settled));
}

/* Files that nobody wants but under the name of a link are read in a second pass. */
static int read_linked(elm_picture_job *job, archive_walk *walk, const elm_linked_pictures *linked,
                       elm_error *err)
{
    elm_source_file file;
    int status;
    int64_t wanted = 0;
    for (int64_t i = 0; i < linked->count; i++)
        wanted += !is_settled(job, &linked->items[i]);
    if (wanted == 0)
        return 0;
    elm_picture_source_close(walk->source);
    walk->source = NULL;
    if (elm_picture_source_open(&walk->source, walk->name, walk->front, err) != 0)
        return -1;
    while ((status = elm_picture_source_next(walk->source, &file, err)) == 1) {
        const int64_t first =
            file.link == NULL && file.problem == NULL ? find_linked(linked, file.path) : -1;
        if (first >= 0 && !is_settled(job, &linked->items[first]) &&
            take_linked_file(job, walk, &file, linked, first, err) != 0)
            return -1;
        show_progress(job, walk);
    }
    return status;
}

/* What waits to be decoded or resized is placed. */
static int finish_waiting(elm_picture_job *job, archive_walk *walk, elm_error *err)
{
    if (job->queue != NULL && elm_resize_queue_flush(job->queue, take_resized, job, err) != 0)
        return -1;
    return decode_waiting(job, walk, err);
}

static int walk_links(elm_picture_job *job, archive_walk *walk, elm_error *err)
{
    elm_linked_pictures linked = {0};
    int status = elm_picture_links_find(job, walk->name, walk->front, &linked, err);
    if (status == 0)
        status = finish_waiting(job, walk, err);
    if (status == 0)
        status = read_linked(job, walk, &linked, err);
    if (status == 0)
        status = finish_waiting(job, walk, err);
    if (status == 0)
        status = share_places(job, &linked, err);
    elm_free(linked.items);
    return status;
}

static int walk_archive(elm_picture_job *job, const char *name, elm_error *err)
{
    struct stat about = {0};
    archive_walk walk = {.name = name, .descriptor = -1, .shard = -1};
    if (stat(name, &about) == 0) {
        walk.folder = S_ISDIR(about.st_mode);
        walk.size_bytes = about.st_size;
    }
    if (elm_picture_source_open(&walk.source, name, elm_picture_job_front(job, name, walk.front),
                                err) != 0)
        return -1;
    if (!walk.folder)
        walk.descriptor = open(name, O_RDONLY | O_CLOEXEC);
    job->progress.current_bytes = walk.folder ? 1 : (double)about.st_size;
    int status = walk_files(job, &walk, err);
    if (status == 0 && walk.links > 0)
        status = walk_links(job, &walk, err);
    job->progress.done_bytes += job->progress.current_bytes;
    elm_picture_source_close(walk.source);
    if (walk.descriptor >= 0)
        close(walk.descriptor);
    return status;
}

static void say_rate(const elm_picture_job *job, int threads)
{
    const double seconds = elm_io_seconds() - job->progress.started,
                 fresh = (double)(job->progress.pictures - job->progress.earlier);
    if (fresh > 0)
        elm_log_info(
            job->request->log, "%.0f picture%s read%s in %.1f s, %.0f a second with %d thread%s",
            fresh, fresh > 1 ? "s" : "",
            job->request->pictures.no_decode ? ", not decoded (--no-decode)," : " and decoded",
            seconds, fresh / (seconds > 0 ? seconds : 1), threads, threads > 1 ? "s" : "");
}

int elm_picture_files_walk(elm_picture_job *job, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    job->progress.started = elm_io_seconds();
    for (int i = 0; i < request->archive_count; i++) {
        struct stat about;
        if (stat(request->archives[i], &about) == 0)
            job->progress.all_bytes += S_ISDIR(about.st_mode) ? 1 : (double)about.st_size;
    }
    const bool decode = !request->pictures.no_decode;
    const int threads =
        request->pictures.threads > 0 ? (int)request->pictures.threads : elm_threads_allowed();
    if (request->pictures.resize > 0 &&
        elm_resize_queue_create(&job->queue, threads, (int)request->pictures.resize,
                                elm_picture_job_quality(job), decode, err) != 0)
        return -1;
    if (job->queue == NULL && decode && elm_decode_queue_create(&job->checks, threads, err) != 0)
        return -1;
    for (int i = 0; i < request->archive_count; i++)
        if (walk_archive(job, request->archives[i], err) != 0)
            return -1;
    if (job->queue != NULL && elm_resize_queue_flush(job->queue, take_resized, job, err) != 0)
        return -1;
    say_rate(job, threads);
    return job->writer != NULL ? finish_shard(job, err) : elm_journal_commit(job->journal, err);
}

void elm_picture_files_release(elm_picture_job *job)
{
    elm_shard_writer_destroy(job->writer);
    elm_decode_queue_destroy(job->checks);
    elm_resize_queue_destroy(job->queue);
    elm_free(job->bytes);
}
