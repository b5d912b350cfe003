#include "data/content.h"

#include <string.h>

#include "elmpi/memory.h"
#include "store/image_digest.h"
#include "store/shards.h"

enum { SAMPLE_MAX = 256 };

/* The bytes of one image after another. */
typedef struct reading {
    const elm_dataset *set;
    uint8_t *bytes;
    size_t capacity;
} reading;

static int complain(const elm_dataset *set, int64_t member, const char *what, const char *advice,
                    elm_error *err)
{
    const elm_encoded_images *encoded = set->encoded;
    const elm_store_place *place = &encoded->places[member];
    char name[256] = "";
    elm_store *store = NULL;
    if (elm_store_open(&store, encoded->store, NULL) == 0)
        elm_store_image_name(store, encoded->split, set->rows[member], name, sizeof name, NULL);
    elm_store_close(store);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "an image %s (%s, image %lld of %s, at byte %lld of %s): %s", what, name,
                         (long long)set->rows[member], encoded->split, (long long)place->offset,
                         elm_shards_path(encoded->shards, place->shard), advice);
}

/* *digest of the image as it is now. */
static int read_digest(reading *r, int64_t member, int64_t *digest, elm_error *err)
{
    const elm_store_place *place = &r->set->encoded->places[member];
    elm_error why = {0};
    if (place->length > r->capacity) {
        elm_free(r->bytes);
        r->capacity = 2 * (size_t)place->length;
        r->bytes = elm_alloc(r->capacity, 1, err);
        if (r->bytes == NULL)
            return -1;
    }
    if (elm_shards_read(r->set->encoded->shards, place, r->bytes, &why) != 0)
        return complain(r->set, member, why.text, "check the disk, or copy the shard again", err);
    *digest = elm_image_digest(r->bytes, place->length);
    if (place->digest == 0 || place->digest == *digest)
        return 0;
    return complain(r->set, member, "is not the one that the store was made with",
                    "bring the shards back, or make the store again with elmpi-prepare --force "
                    "(data.verify=none does without the check)",
                    err);
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return sum ^ sum >> 29;
}

int elm_content_sample(const elm_dataset *set, uint64_t *sample, elm_error *err)
{
    *sample = 0;
    if (set->encoded == NULL || set->encoded->verify == ELM_VERIFY_NONE)
        return 0;
    reading r = {.set = set};
    const int64_t count = set->count < SAMPLE_MAX ? set->count : SAMPLE_MAX;
    uint64_t sum = (uint64_t)set->count;
    int status = 0;
    for (int64_t k = 0; status == 0 && k < count; k++) {
        int64_t digest = 0;
        status = read_digest(&r, count > 1 ? k * (set->count - 1) / (count - 1) : 0, &digest, err);
        sum = mix(sum, (uint64_t)digest);
    }
    elm_free(r.bytes);
    if (status == 0)
        *sample = sum | 1;
    return status;
}

int elm_content_verify(const elm_dataset *set, int64_t first, int64_t step,
                       void (*tick)(void *context), void *context, elm_error *err)
{
    if (set->encoded == NULL || set->encoded->verify != ELM_VERIFY_ALL)
        return 0;
    reading r = {.set = set};
    int status = 0;
    for (int64_t i = first; status == 0 && i < set->count; i += step) {
        int64_t digest;
        status = read_digest(&r, i, &digest, err);
        tick(context);
    }
    elm_free(r.bytes);
    return status;
}

uint64_t elm_content_of_digests(const elm_dataset *set)
{
    if (set->encoded == NULL)
        return 0;
    uint64_t sum = (uint64_t)set->count;
    for (int64_t i = 0; i < set->count; i++) {
        if (set->encoded->places[i].digest == 0)
            return 0;
        sum = mix(sum, (uint64_t)set->encoded->places[i].digest);
    }
    return sum | 1;
}
