/* Through the archives, file by file: each image wanted is read, checked, and left where it
 * lies or copied into a shard. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cpu/threads.h"
#include "base/process/clock.h"
#include "elmpi/memory.h"
#include "image/decode_queue.h"
#include "image/header.h"
#include "image/resize.h"
#include "prepare/folders/folders.h"
#include "prepare/folders/links.h"
#include "prepare/folders/names.h"
#include "prepare/index_places.h"
#include "prepare/index_scan.h"
#include "prepare/scan_progress.h"
#include "prepare/scan_queue.h"
#include "prepare/source_files.h"

enum { FILE_BYTES_MAX = 1 << 28 };

/* Whether the bytes begin and end as an image does: ELM_IMAGE_DONE or BROKEN with the reason;
 * -1: memory. */
static int check_image(elm_index_build *job, size_t size_bytes, elm_image_header *header,
                       elm_error *why)
{
    const char *problem = elm_image_header_read(header, job->bytes, size_bytes);
    return problem != NULL ? elm_image_corrupt(why, problem) : ELM_IMAGE_DONE;
}

static int room_for(elm_index_build *job, size_t size_bytes, elm_error *err)
{
    if (size_bytes <= job->capacity)
        return 0;
    elm_free(job->bytes);
    job->bytes = elm_alloc(2 * size_bytes, 1, err);
    job->capacity = job->bytes != NULL ? 2 * size_bytes : 0;
    return job->bytes != NULL ? 0 : -1;
}

/* Reads and checks a file's bytes, as check_image says; an archive that breaks off is an error
 * of its own. */
static int read_image(elm_index_build *job, elm_archive_walk *walk, const elm_source_file *file,
                      elm_image_header *header, elm_error *why)
{
    if (file->problem != NULL)
        return elm_image_corrupt(why, file->problem);
    if (file->size_bytes <= 0 || file->size_bytes > FILE_BYTES_MAX)
        return elm_image_corrupt(why, file->size_bytes <= 0 ? "empty" : "too large");
    if (room_for(job, (size_t)file->size_bytes, why) != 0)
        return -1;
    if (elm_image_source_read(walk->source, job->bytes, why) != 0)
        return walk->folder ? ELM_IMAGE_CORRUPT : -1;
    return check_image(job, (size_t)file->size_bytes, header, why);
}

static int take_image(elm_index_build *job, elm_archive_walk *walk, const elm_source_file *file,
                      elm_image_item *item, elm_error *err)
{
    elm_image_header header;
    elm_error why = {0};
    const int status = read_image(job, walk, file, &header, &why);
    if (status == ELM_IMAGE_CORRUPT)
        return elm_rejects_add(job->report,
                               strstr(why.text, "nor PNG: a") != NULL ? ELM_REPORT_FOREIGN
                                                                      : ELM_REPORT_UNREADABLE,
                               file->path, why.text, err);
    if (status != ELM_IMAGE_DONE)
        return elm_error_set(err, why.code, "%s", why.text);
    if (job->queue != NULL)
        return elm_scan_queue_resize(job, file->path, item, (size_t)file->size_bytes, &header, err);
    if (job->checks != NULL)
        return elm_scan_queue_check(job, walk, file, item, &header, err);
    item->place.width = (uint16_t)header.width;
    item->place.height = (uint16_t)header.height;
    return elm_places_add(job, walk, item, file->offset, job->bytes, (size_t)file->size_bytes, err);
}

static int take_file(elm_index_build *job, elm_archive_walk *walk, const elm_source_file *file,
                     elm_error *err)
{
    const char *path = file->path, *problem = elm_path_check(path);
    int status = 0;
    if (file->link != NULL) {
        walk->links++;
        return 0;
    }
    if (problem != NULL)
        return elm_rejects_add(job->report, ELM_REPORT_UNSAFE, file->path, problem, err);
    if (file->problem != NULL && !job->listed)
        return elm_image_path_hidden(path, NULL)
                   ? 0
                   : elm_rejects_add(job->report, file->kind, path, file->problem, err);
    elm_image_item *item = elm_index_build_item(job, path, &status, err);
    if (item == NULL)
        return status;
    if (!item->earlier && item->settled)
        return elm_rejects_add(job->report, ELM_REPORT_TWICE, file->path, walk->name, err);
    job->progress.images++;
    item->settled = true;
    if (item->earlier) {
        job->progress.earlier++;
        item->earlier = false;
        return 0;
    }
    return take_image(job, walk, file, item, err);
}

static int walk_files(elm_index_build *job, elm_archive_walk *walk, elm_error *err)
{
    elm_source_file file;
    int status;
    while ((status = elm_image_source_next(walk->source, &file, err)) == 1) {
        if (take_file(job, walk, &file, err) != 0)
            return -1;
        elm_scan_progress_show(job, walk);
    }
    if (status == 0)
        return elm_scan_queue_flush_checks(job, walk, err);
    /* of an archive that breaks off: what came before is done, and need not be done again */
    elm_scan_queue_flush_checks(job, walk, NULL);
    return status;
}

/* Reads the file that links lead to, once for the first of them; the others get its place. */
static int take_linked_file(elm_index_build *job, elm_archive_walk *walk,
                            const elm_source_file *file, const elm_linked_images *linked,
                            int64_t first, elm_error *err)
{
    elm_image_item *item = linked->items[first].item;
    job->progress.images++;
    return item->placed ? 0 : take_image(job, walk, file, item, err);
}

static int64_t find_linked(const elm_linked_images *linked, const char *real)
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

/* A place is shared by all names of a file: the image itself, if it is one of the set, and
 * links. */
static int share_places(elm_index_build *job, const elm_linked_images *linked, elm_error *err)
{
    for (int64_t i = 0, first = 0; i < linked->count; i++) {
        if (strcmp(linked->items[i].real, linked->items[first].real) != 0)
            first = i;
        const elm_image_item *real = elm_manifest_exact(job->catalog, linked->items[i].real);
        const elm_image_item *from =
            real != NULL && real->placed ? real : linked->items[first].item;
        elm_image_item *item = linked->items[i].item;
        if (item->placed)
            continue;
        if (!from->placed) {
            if (elm_rejects_add(job->report, ELM_REPORT_UNREADABLE, item->name,
                                "a link to a file that is unreadable", err) != 0)
                return -1;
            continue;
        }
        item->place = from->place;
        if (elm_places_note(job, item, false, err) != 0)
            return -1;
    }
    return 0;
}

/* Read already, be it in vain. */
static bool is_settled(elm_index_build *job, const elm_linked_image *linked)
{
    const elm_image_item *real = elm_manifest_exact(job->catalog, linked->real);
    return linked->item->placed || (real != NULL && (real->placed || real->settled));
}

/* Files that are needed only through a link are read in a second pass. */
static int read_linked(elm_index_build *job, elm_archive_walk *walk,
                       const elm_linked_images *linked, elm_error *err)
{
    elm_source_file file;
    int status;
    int64_t wanted = 0;
    for (int64_t i = 0; i < linked->count; i++)
        wanted += !is_settled(job, &linked->items[i]);
    if (wanted == 0)
        return 0;
    elm_image_source_close(walk->source);
    walk->source = NULL;
    if (elm_image_source_open(&walk->source, walk->name, walk->front, err) != 0)
        return -1;
    while ((status = elm_image_source_next(walk->source, &file, err)) == 1) {
        const int64_t first =
            file.link == NULL && file.problem == NULL ? find_linked(linked, file.path) : -1;
        if (first >= 0 && !is_settled(job, &linked->items[first]) &&
            take_linked_file(job, walk, &file, linked, first, err) != 0)
            return -1;
        elm_scan_progress_show(job, walk);
    }
    return status;
}

static int walk_links(elm_index_build *job, elm_archive_walk *walk, elm_error *err)
{
    elm_linked_images linked = {0};
    int status = elm_image_links_find(job, walk->name, walk->front, &linked, err);
    if (status == 0)
        status = elm_scan_queue_flush(job, walk, err);
    if (status == 0)
        status = read_linked(job, walk, &linked, err);
    if (status == 0)
        status = elm_scan_queue_flush(job, walk, err);
    if (status == 0)
        status = share_places(job, &linked, err);
    elm_free(linked.items);
    return status;
}

static int walk_archive(elm_index_build *job, const char *name, elm_error *err)
{
    struct stat about = {0};
    elm_archive_walk walk = {.name = name, .descriptor = -1, .shard = -1};
    if (stat(name, &about) == 0) {
        walk.folder = S_ISDIR(about.st_mode);
        walk.size_bytes = about.st_size;
    }
    if (elm_image_source_open(&walk.source, name, elm_index_build_front(job, name, walk.front),
                              err) != 0)
        return -1;
    if (!walk.folder)
        walk.descriptor = open(name, O_RDONLY | O_CLOEXEC);
    job->progress.current_bytes = walk.folder ? 1 : (double)about.st_size;
    int status = walk_files(job, &walk, err);
    if (status == 0 && walk.links > 0)
        status = walk_links(job, &walk, err);
    job->progress.done_bytes += job->progress.current_bytes;
    elm_image_source_close(walk.source);
    if (walk.descriptor >= 0)
        close(walk.descriptor);
    return status;
}

int elm_index_scan(elm_index_build *job, elm_error *err)
{
    const elm_prepare_request *request = job->request;
    job->progress.started = elm_clock_seconds();
    for (int i = 0; i < request->archive_count; i++) {
        struct stat about;
        if (stat(request->archives[i], &about) == 0)
            job->progress.all_bytes += S_ISDIR(about.st_mode) ? 1 : (double)about.st_size;
    }
    const bool decode = !request->image_files.no_decode;
    const int threads = request->image_files.threads > 0 ? (int)request->image_files.threads
                                                         : elm_threads_allowed();
    if (request->image_files.resize > 0 &&
        elm_resize_queue_create(&job->queue, threads, (int)request->image_files.resize,
                                elm_index_build_quality(job), decode, err) != 0)
        return -1;
    if (job->queue == NULL && decode && elm_decode_queue_create(&job->checks, threads, err) != 0)
        return -1;
    for (int i = 0; i < request->archive_count; i++)
        if (walk_archive(job, request->archives[i], err) != 0)
            return -1;
    if (elm_scan_queue_flush_resized(job, err) != 0)
        return -1;
    elm_scan_progress_rate(job, threads);
    return job->writer != NULL ? elm_places_finish_shard(job, err)
                               : elm_journal_commit(job->journal, err);
}

void elm_index_scan_release(elm_index_build *job)
{
    elm_shard_writer_destroy(job->writer);
    elm_decode_queue_destroy(job->checks);
    elm_resize_queue_destroy(job->queue);
    elm_free(job->bytes);
}
