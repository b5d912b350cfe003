#include "data/bad_images.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"

enum { WAITING_MAX = 16 };

struct elm_bad_images {
    pthread_mutex_t mutex;
    int64_t count, limit;
    int64_t images;
    char broken[300];
    int64_t added, taken; /* of the ring */
    elm_bad_image ring[WAITING_MAX];
    uint8_t known[]; /* a bit an image */
};

int elm_bad_images_create(elm_bad_images **out, int64_t count, int64_t limit, elm_error *err)
{
    elm_bad_images *faults = elm_alloc(sizeof *faults + (size_t)count / 8 + 1, 1, err);
    *out = faults;
    if (faults == NULL)
        return -1;
    faults->limit = limit;
    faults->images = count;
    pthread_mutex_init(&faults->mutex, NULL);
    return 0;
}

void elm_bad_images_destroy(elm_bad_images *faults)
{
    if (faults == NULL)
        return;
    pthread_mutex_destroy(&faults->mutex);
    elm_free(faults);
}

bool elm_bad_images_known(elm_bad_images *faults, int64_t member)
{
    pthread_mutex_lock(&faults->mutex);
    const bool known = faults->known[member / 8] >> (member % 8) & 1;
    pthread_mutex_unlock(&faults->mutex);
    return known;
}

void elm_bad_images_add(elm_bad_images *faults, int64_t member, const char *reason)
{
    pthread_mutex_lock(&faults->mutex);
    if (!(faults->known[member / 8] >> (member % 8) & 1)) {
        faults->known[member / 8] |= (uint8_t)(1u << (member % 8));
        faults->count++;
        if (faults->added - faults->taken < WAITING_MAX) {
            elm_bad_image *fault = &faults->ring[faults->added++ % WAITING_MAX];
            fault->member = member;
            snprintf(fault->reason, sizeof fault->reason, "%s", reason);
        }
    }
    pthread_mutex_unlock(&faults->mutex);
}

void elm_bad_images_fail(elm_bad_images *faults, const char *reason)
{
    pthread_mutex_lock(&faults->mutex);
    if (faults->broken[0] == '\0')
        snprintf(faults->broken, sizeof faults->broken, "%s", reason);
    pthread_mutex_unlock(&faults->mutex);
}

const char *elm_bad_images_failure(elm_bad_images *faults)
{
    pthread_mutex_lock(&faults->mutex);
    const bool broken = faults->broken[0] != '\0';
    pthread_mutex_unlock(&faults->mutex);
    return broken ? faults->broken : NULL; /* written once */
}

size_t elm_bad_images_bytes(const elm_bad_images *faults)
{
    return (size_t)faults->images / 8 + 1;
}

void elm_bad_images_get(elm_bad_images *faults, uint8_t *bits)
{
    pthread_mutex_lock(&faults->mutex);
    memcpy(bits, faults->known, elm_bad_images_bytes(faults));
    pthread_mutex_unlock(&faults->mutex);
}

void elm_bad_images_merge(elm_bad_images *faults, const uint8_t *bits)
{
    pthread_mutex_lock(&faults->mutex);
    faults->count = 0;
    for (size_t i = 0; i < elm_bad_images_bytes(faults); i++) {
        faults->known[i] |= bits[i];
        faults->count += __builtin_popcount(faults->known[i]);
    }
    pthread_mutex_unlock(&faults->mutex);
}

bool elm_bad_images_take(elm_bad_images *faults, elm_bad_image *fault)
{
    pthread_mutex_lock(&faults->mutex);
    const bool waiting = faults->taken < faults->added;
    if (waiting)
        *fault = faults->ring[faults->taken++ % WAITING_MAX];
    pthread_mutex_unlock(&faults->mutex);
    return waiting;
}

int64_t elm_bad_images_count(elm_bad_images *faults)
{
    pthread_mutex_lock(&faults->mutex);
    const int64_t count = faults->count;
    pthread_mutex_unlock(&faults->mutex);
    return count;
}

bool elm_bad_images_too_many(elm_bad_images *faults)
{
    return elm_bad_images_count(faults) > faults->limit;
}
