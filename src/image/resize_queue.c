/* Reading archives and writing shards keep their order; only what is between, and costs most, is
 * done by many threads. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"
#include "image/decode_queue.h"
#include "image/resize.h"

enum { QUEUE_MAX = 256, QUEUE_BYTES = 64 << 20 };

struct elm_resize_queue {
    int threads, side, quality, count;
    bool decode;
    size_t waiting_bytes;
    elm_image_resizer **resizers; /* [threads] */
    elm_queued_image images[QUEUE_MAX];
};

int elm_resize_queue_create(elm_resize_queue **out, int threads, int side, int quality, bool decode,
                            elm_error *err)
{
    elm_resize_queue *queue = elm_alloc(1, sizeof *queue, err);
    *out = NULL;
    if (queue == NULL)
        return -1;
    queue->threads = threads;
    queue->side = side;
    queue->quality = quality;
    queue->decode = decode;
    queue->resizers = elm_alloc((size_t)threads, sizeof(void *), err);
    int status = queue->resizers != NULL ? 0 : -1;
    for (int t = 0; t < threads && status == 0; t++)
        status = elm_image_resizer_create(&queue->resizers[t], err);
    if (status != 0) {
        elm_resize_queue_destroy(queue);
        return -1;
    }
    *out = queue;
    return 0;
}

static void clear(elm_resize_queue *queue)
{
    for (int i = 0; i < queue->count; i++) {
        elm_free(queue->images[i].bytes);
        free(queue->images[i].name);
        free(queue->images[i].resized.bytes);
    }
    queue->count = 0;
    queue->waiting_bytes = 0;
}

void elm_resize_queue_destroy(elm_resize_queue *queue)
{
    if (queue == NULL)
        return;
    clear(queue);
    for (int t = 0; queue->resizers != NULL && t < queue->threads; t++)
        elm_image_resizer_destroy(queue->resizers[t]);
    elm_free(queue->resizers);
    elm_free(queue);
}

int elm_resize_queue_add(elm_resize_queue *queue, void *item, const char *name,
                         const uint8_t *bytes, size_t size_bytes, const elm_image_header *header,
                         bool *full, elm_error *err)
{
    elm_queued_image *image = &queue->images[queue->count];
    *image = (elm_queued_image){.item = item,
                                .name = strdup(name),
                                .bytes = elm_alloc(size_bytes, 1, err),
                                .size_bytes = size_bytes,
                                .header = *header};
    if (image->name == NULL || image->bytes == NULL) {
        free(image->name);
        elm_free(image->bytes);
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "no memory for the images that wait to be resized: use fewer --threads");
    }
    memcpy(image->bytes, bytes, size_bytes);
    queue->waiting_bytes += size_bytes;
    *full = ++queue->count == QUEUE_MAX || queue->waiting_bytes >= QUEUE_BYTES;
    return 0;
}

static void resize(const elm_resize_queue *queue, elm_queued_image *image,
                   elm_image_resizer *resizer)
{
    image->status = elm_image_reencode(resizer, image->bytes, image->size_bytes, &image->header,
                                       queue->side, queue->quality, &image->resized, &image->why);
    if (image->status == ELM_IMAGE_DONE && image->resized.bytes == NULL && queue->decode)
        image->status = elm_image_sound(elm_image_resizer_decoder(resizer), image->bytes,
                                        image->size_bytes, &image->header, &image->why);
}

int elm_resize_queue_flush(elm_resize_queue *queue,
                           int (*take)(void *context, const elm_queued_image *image,
                                       elm_error *err),
                           void *context, elm_error *err)
{
    int status = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(queue->threads)
    for (int i = 0; i < queue->count; i++)
        resize(queue, &queue->images[i], queue->resizers[omp_get_thread_num()]);
    for (int i = 0; i < queue->count && status == 0; i++)
        status = take(context, &queue->images[i], err);
    clear(queue);
    return status;
}
