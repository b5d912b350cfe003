/* Decode queue: images that a preparation decodes to see whether they are sound, on several
 * threads, and that come out in their order. */
#ifndef ELMPI_IMAGE_DECODE_QUEUE_H
#define ELMPI_IMAGE_DECODE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/decode.h"
#include "image/header.h"

typedef struct elm_decode_queue elm_decode_queue;

/** An image in the queue. */
typedef struct elm_checked_image {
    void *item; /* the caller's */
    char *name; /* its path, for the report */
    uint8_t *bytes;
    size_t size_bytes;
    int64_t offset; /* the caller's: where it lies in its archive */
    elm_image_header header;
    int status;    /* of elm_image_sound, */
    elm_error why; /* and its reason */
} elm_checked_image;

/** Decodes the whole image, as small as the decoder can, which reads every byte all the same.
 *  Errors: ELM_IMAGE_CORRUPT with the reason; -1: memory */
int elm_image_sound(elm_decoder *decoder, const uint8_t *bytes, size_t size_bytes,
                    const elm_image_header *header, elm_error *why);

/** Owns:   the caller destroys */
int elm_decode_queue_create(elm_decode_queue **queue, int threads, elm_error *err);
void elm_decode_queue_destroy(elm_decode_queue *queue);

/** Adds an image; bytes and name are copied. *full: it is time to flush.
 *  Errors: memory */
int elm_decode_queue_add(elm_decode_queue *queue, const elm_checked_image *image, bool *full,
                         elm_error *err);

/** Decodes all that wait, then hands them over in the order they came in; stops at the first
 * call that does not return 0. */
int elm_decode_queue_flush(elm_decode_queue *queue,
                           int (*take)(void *context, const elm_checked_image *image,
                                       elm_error *err),
                           void *context, elm_error *err);

#endif
