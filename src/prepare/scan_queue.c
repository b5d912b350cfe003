#include "prepare/scan_queue.h"

#include "image/decode_queue.h"
#include "image/resize.h"
#include "prepare/index_places.h"

/* An image out of the queue: its new file, or its own where that was small enough. */
static int take_resized(void *context, const elm_queued_image *image, elm_error *err)
{
    elm_index_build *job = context;
    elm_image_item *item = image->item;
    const elm_resized *made = &image->resized;
    if (image->status == ELM_IMAGE_CORRUPT)
        return elm_rejects_add(job->report, ELM_REPORT_UNREADABLE, image->name, image->why.text,
                               err);
    if (image->status != ELM_IMAGE_DONE)
        return elm_error_set(err, image->why.code, "%s", image->why.text);
    const uint8_t *bytes = made->bytes != NULL ? made->bytes : image->bytes;
    const size_t size_bytes = made->bytes != NULL ? made->size_bytes : image->size_bytes;
    item->place.width = (uint16_t)made->width;
    item->place.height = (uint16_t)made->height;
    return elm_places_copy(job, item, bytes, size_bytes, err);
}

int elm_scan_queue_resize(elm_index_build *job, const char *path, elm_image_item *item,
                          size_t size_bytes, const elm_image_header *header, elm_error *err)
{
    bool full = false;
    if (elm_resize_queue_add(job->queue, item, path, job->bytes, size_bytes, header, &full, err) !=
        0)
        return -1;
    return full ? elm_resize_queue_flush(job->queue, take_resized, job, err) : 0;
}

/* An image on its way out of the queue of those that were decoded. */
typedef struct checked {
    elm_index_build *job;
    elm_archive_walk *walk;
} checked;

static int take_checked(void *context, const elm_checked_image *image, elm_error *err)
{
    const checked *c = context;
    elm_image_item *item = image->item;
    if (image->status == ELM_IMAGE_CORRUPT)
        return elm_rejects_add(c->job->report, ELM_REPORT_UNREADABLE, image->name, image->why.text,
                               err);
    if (image->status != ELM_IMAGE_DONE)
        return elm_error_set(err, image->why.code, "%s", image->why.text);
    item->place.width = (uint16_t)image->header.width;
    item->place.height = (uint16_t)image->header.height;
    return elm_places_add(c->job, c->walk, item, image->offset, image->bytes, image->size_bytes,
                          err);
}

int elm_scan_queue_flush_checks(elm_index_build *job, elm_archive_walk *walk, elm_error *err)
{
    return job->checks != NULL
               ? elm_decode_queue_flush(job->checks, take_checked, &(checked){job, walk}, err)
               : 0;
}

int elm_scan_queue_check(elm_index_build *job, elm_archive_walk *walk, const elm_source_file *file,
                         elm_image_item *item, const elm_image_header *header, elm_error *err)
{
    bool full = false;
    const elm_checked_image image = {.item = item,
                                     .name = (char *)file->path,
                                     .bytes = job->bytes,
                                     .size_bytes = (size_t)file->size_bytes,
                                     .offset = file->offset,
                                     .header = *header};
    if (elm_decode_queue_add(job->checks, &image, &full, err) != 0)
        return -1;
    return full ? elm_scan_queue_flush_checks(job, walk, err) : 0;
}

int elm_scan_queue_flush_resized(elm_index_build *job, elm_error *err)
{
    return job->queue != NULL ? elm_resize_queue_flush(job->queue, take_resized, job, err) : 0;
}

int elm_scan_queue_flush(elm_index_build *job, elm_archive_walk *walk, elm_error *err)
{
    return elm_scan_queue_flush_resized(job, err) != 0
               ? -1
               : elm_scan_queue_flush_checks(job, walk, err);
}
