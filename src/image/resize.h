/* Image resize: an image's file recreated with a shorter short side. */
#ifndef ELMPI_IMAGE_RESIZE_H
#define ELMPI_IMAGE_RESIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/decode.h"

/** One thread's means of resizing. */
typedef struct elm_image_resizer elm_image_resizer;

/** Owns:   the caller destroys */
int elm_image_resizer_create(elm_image_resizer **resizer, elm_error *err);
void elm_image_resizer_destroy(elm_image_resizer *resizer);

/** An image's new file. */
typedef struct elm_resized {
    uint8_t *bytes; /* free() */
    size_t size_bytes;
    int width, height;
} elm_resized;

/** Makes the short side `side` pixels long: bilinear with antialiasing, turned as EXIF says, as a
 * JPEG of full chroma resolution (a network sees colors no less than their edges), gray ones in
 * gray. An image whose short side is no longer than that is left alone: bytes NULL.
 *  Errors: as elm_decoder_read; damaged images are ELM_IMAGE_CORRUPT */
int elm_image_reencode(elm_image_resizer *resizer, const uint8_t *bytes, size_t size_bytes,
                       const elm_image_header *header, int side, int quality, elm_resized *resized,
                       elm_error *why);

/** The resizer's decoder, between two images. */
elm_decoder *elm_image_resizer_decoder(elm_image_resizer *resizer);

/** Images that are resized together, on several threads, and come out in their order. */
typedef struct elm_resize_queue elm_resize_queue;

/** An image in the queue. */
typedef struct elm_queued_image {
    void *item; /* the caller's */
    char *name; /* its path, for the report */
    uint8_t *bytes;
    size_t size_bytes;
    elm_image_header header;
    elm_resized resized; /* bytes NULL: to be taken as it is */
    int status;          /* of elm_image_reencode or elm_image_sound, */
    elm_error why;       /* and its reason */
} elm_queued_image;

/** `decode`: small images, which stay as they are, are decoded too, to see whether they are
 * sound.
 *  Owns:   the caller destroys */
int elm_resize_queue_create(elm_resize_queue **queue, int threads, int side, int quality,
                            bool decode, elm_error *err);
void elm_resize_queue_destroy(elm_resize_queue *queue);

/** Adds an image; bytes and name are copied. *full: it is time to flush.
 *  Errors: memory */
int elm_resize_queue_add(elm_resize_queue *queue, void *item, const char *name,
                         const uint8_t *bytes, size_t size_bytes, const elm_image_header *header,
                         bool *full, elm_error *err);

/** Resizes all that wait, then hands them over in the order they came in; stops at the first
 * call that does not return 0. */
int elm_resize_queue_flush(elm_resize_queue *queue,
                           int (*take)(void *context, const elm_queued_image *image,
                                       elm_error *err),
                           void *context, elm_error *err);

#endif
