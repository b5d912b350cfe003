/* Reading archives and placing images keep their order, so that a store does not depend on the
 * number of threads; decoding, which costs most, is between. */
#include "image/decode_queue.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/memory.h"

enum { QUEUE_MAX = 256, QUEUE_THREAD = 16, QUEUE_BYTES = 64 << 20, SMALLEST = 8 };

struct elm_decode_queue {
    /* many enough to keep the threads busy, few enough that little is lost when a preparation is
     * interrupted */
    int threads, count, limit;
    size_t waiting_bytes;
    elm_decoder **decoders; /* [threads] */
    elm_checked_image images[QUEUE_MAX];
};

int elm_image_sound(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                    const elm_image_header *header, elm_error *why)
{
    const elm_image_box whole = {0, 0, header->width, header->height};
    elm_pixels pixels;
    const int reduction = header->format == ELM_IMAGE_JPEG ? SMALLEST : 1;
    const int status =
        elm_decoder_read(decoder, bytes, size_bytes, header, whole, reduction, &pixels, why);
    return status == ELM_IMAGE_DONE && pixels.damaged ? elm_image_corrupt(why, elm_image_damaged)
                                                      : status;
}

int elm_decode_queue_create(elm_decode_queue **out, int threads, elm_error *err)
{
    elm_decode_queue *queue = elm_alloc(1, sizeof *queue, err);
    *out = NULL;
    if (queue == NULL)
        return -1;
    queue->threads = threads;
    queue->limit = threads < QUEUE_MAX / QUEUE_THREAD ? threads * QUEUE_THREAD : QUEUE_MAX;
    queue->decoders = elm_alloc((size_t)threads, sizeof *queue->decoders, err);
    int status = queue->decoders != NULL ? 0 : -1;
    for (int t = 0; t < threads && status == 0; t++)
        status = elm_decoder_create(&queue->decoders[t], err);
    if (status != 0) {
        elm_decode_queue_destroy(queue);
        return -1;
    }
    *out = queue;
    return 0;
}

static void clear(elm_decode_queue *queue)
{
    for (int i = 0; i < queue->count; i++) {
        elm_free(queue->images[i].bytes);
        free(queue->images[i].name);
    }
    queue->count = 0;
    queue->waiting_bytes = 0;
}

void elm_decode_queue_destroy(elm_decode_queue *queue)
{
    if (queue == NULL)
        return;
    clear(queue);
    for (int t = 0; queue->decoders != NULL && t < queue->threads; t++)
        elm_decoder_destroy(queue->decoders[t]);
    elm_free(queue->decoders);
    elm_free(queue);
}

int elm_decode_queue_add(elm_decode_queue *queue, const elm_checked_image *image, bool *full,
                         elm_error *err)
{
    elm_checked_image *own = &queue->images[queue->count];
    *own = *image;
    own->name = strdup(image->name);
    own->bytes = elm_alloc(image->size_bytes, 1, err);
    if (own->name == NULL || own->bytes == NULL) {
        free(own->name);
        elm_free(own->bytes);
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "no memory for the images that wait to be decoded: use fewer --threads");
    }
    memcpy(own->bytes, image->bytes, image->size_bytes);
    queue->waiting_bytes += image->size_bytes;
    *full = ++queue->count == queue->limit || queue->waiting_bytes >= QUEUE_BYTES;
    return 0;
}

int elm_decode_queue_flush(elm_decode_queue *queue,
                           int (*take)(void *context, const elm_checked_image *image,
                                       elm_error *err),
                           void *context, elm_error *err)
{
    int status = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(queue->threads)
    for (int i = 0; i < queue->count; i++) {
        elm_checked_image *p = &queue->images[i];
        p->status = elm_image_sound(queue->decoders[omp_get_thread_num()], p->bytes, p->size_bytes,
                                    &p->header, &p->why);
    }
    for (int i = 0; i < queue->count && status == 0; i++)
        status = take(context, &queue->images[i], err);
    clear(queue);
    return status;
}
