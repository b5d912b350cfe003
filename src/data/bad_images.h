/* Bad images: images that could not be read while a loader ran: which, why, and whether there are
 * too many of them. Any thread may call. */
#ifndef ELMPI_DATA_BAD_IMAGES_H
#define ELMPI_DATA_BAD_IMAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_bad_images elm_bad_images;

/** For a data set of `count` images, of which `limit` may fail.
 *  Owns:   the caller destroys */
int elm_bad_images_create(elm_bad_images **faults, int64_t count, int64_t limit, elm_error *err);
void elm_bad_images_destroy(elm_bad_images *faults);

/** Whether an image has failed before. */
bool elm_bad_images_known(elm_bad_images *faults, int64_t member);
/** Notes an image, once, and why. */
void elm_bad_images_add(elm_bad_images *faults, int64_t member, const char *reason);
/** Notes that images could not even be fetched: no matter of single images, so nothing is
 * replaced. The first reason stays. */
void elm_bad_images_fail(elm_bad_images *faults, const char *reason);
/** That reason, or NULL. */
const char *elm_bad_images_failure(elm_bad_images *faults);

/** Which images have failed: a bit for each, `elm_bad_images_bytes` bytes; and takes over what
 * others have found. */
size_t elm_bad_images_bytes(const elm_bad_images *faults);
void elm_bad_images_get(elm_bad_images *faults, uint8_t *bits);
void elm_bad_images_merge(elm_bad_images *faults, const uint8_t *bits);

/** What a caller may want to say next. */
typedef struct elm_bad_image {
    int64_t member;
    char reason[200];
} elm_bad_image;

/** Takes the oldest fault that has not been taken; false when there is none. Of many at once
 * only the first few are kept. */
bool elm_bad_images_take(elm_bad_images *faults, elm_bad_image *fault);
int64_t elm_bad_images_count(elm_bad_images *faults);
bool elm_bad_images_too_many(elm_bad_images *faults);

#endif
