#include "data/samples.h"

#include <string.h>

#include "elmpi/memory.h"
#include "store/shards.h"

_Static_assert((int)ELM_FORMAT_CHANNELS_MAX == (int)ELM_CHANNELS_MAX, "images of stores fit");

elm_image_format elm_image_format_of(const elm_store_info *info)
{
    elm_image_format format = {.dataset = info->dataset,
                               .channels = info->channels,
                               .height = info->height,
                               .width = info->width,
                               .in_shards = info->in_shards};
    memcpy(format.mean, info->mean, sizeof info->mean);
    memcpy(format.std, info->std, sizeof info->std);
    return format;
}

static int init_encoded(elm_samples *records, const char *augment, bool training, elm_error *err)
{
    const elm_encoded_images *encoded = records->dataset->encoded;
    const elm_image_format format = elm_image_format_of(&records->dataset->info);
    double area[2];
    bool flip;
    if (elm_augment_init_shards(&records->augment, augment, &format, area, &flip, err) != 0)
        return -1;
    elm_image_transform *transform = &records->transform;
    *transform = elm_image_transform_of(&format, encoded->crop, encoded->resize, area[1] > 0);
    transform->flip = flip;
    memcpy(transform->area, area, sizeof area);
    /* the pipeline takes pixels */
    for (int c = 0; c < 3 && records->augment.pipeline.count > 0; c++) {
        transform->gain[c] = 1;
        transform->offset[c] = 0;
    }
    records->threads = encoded->threads;
    const int64_t limit =
        training ? (int64_t)(encoded->unreadable * (double)records->dataset->count) : 0;
    return elm_bad_images_create(&records->faults, records->dataset->count, limit, err);
}

int elm_samples_init(elm_samples *records, const elm_dataset *dataset, const char *augment,
                     bool training, uint64_t seed, elm_error *err)
{
    const elm_store_info *info = &dataset->info;
    const elm_image_format format = elm_image_format_of(info);
    *records = (elm_samples){.dataset = dataset, .replace = training, .seed = seed, .threads = 1};
    records->values =
        info->channels > 0 ? (int64_t)info->channels * info->height * info->width : info->features;
    return dataset->encoded != NULL ? init_encoded(records, augment, training, err)
                                    : elm_augment_init(&records->augment, augment, &format, err);
}

void elm_samples_release(elm_samples *records)
{
    elm_bad_images_destroy(records->faults);
    records->faults = NULL;
}

int elm_sample_reader_init(elm_sample_reader *reader, const elm_samples *records, elm_error *err)
{
    *reader = (elm_sample_reader){0};
    if (records->mixes &&
        (reader->partner = elm_alloc((size_t)records->values, sizeof(float), err)) == NULL)
        return -1;
    if (elm_augment_work_init(&reader->work, &records->augment, err) != 0) {
        elm_free(reader->partner);
        return -1;
    }
    if (records->dataset->encoded == NULL ||
        elm_image_reader_create(&reader->image_reader, err) == 0)
        return 0;
    elm_augment_work_release(&reader->work);
    elm_free(reader->partner);
    return -1;
}

void elm_sample_reader_release(elm_sample_reader *reader)
{
    elm_augment_work_release(&reader->work);
    elm_image_reader_destroy(reader->image_reader);
    elm_free(reader->bytes);
    elm_free(reader->partner);
    *reader = (elm_sample_reader){0};
}

static int load_bytes(const elm_encoded_images *encoded, elm_sample_reader *reader,
                      const elm_store_place *place, elm_error *err)
{
    if (place->length > reader->capacity) {
        elm_free(reader->bytes);
        reader->capacity = place->length + place->length / 2; /* so that it soon stays as it is */
        reader->bytes = elm_alloc(reader->capacity, 1, err);
        if (reader->bytes == NULL) {
            reader->capacity = 0;
            return -1;
        }
    }
    return elm_shards_read(encoded->shards, place, reader->bytes, err);
}

static bool read_image(const elm_samples *records, elm_sample_reader *reader, int64_t member,
                       elm_rng rng, float *out)
{
    const elm_store_place *place = &records->dataset->encoded->places[member];
    elm_error why = {0};
    if (elm_bad_images_known(records->faults, member))
        return false;
    int status = load_bytes(records->dataset->encoded, reader, place, &why);
    if (status == 0)
        status = elm_image_read(reader->image_reader, &records->transform, &rng, reader->bytes,
                                place->length, out, &why);
    if (status == ELM_IMAGE_DONE && records->augment.pipeline.count > 0)
        elm_augment_pixels(&records->augment, &reader->work, &rng, out);
    if (status == ELM_IMAGE_CORRUPT)
        elm_bad_images_add(records->faults, member, why.text);
    else if (status != ELM_IMAGE_DONE)
        elm_bad_images_fail(records->faults, why.text); /* no matter of this image */
    return status == ELM_IMAGE_DONE;
}

/* The one after it, around the end; the same where its class has no other. */
static int64_t next_of_class(const elm_dataset *dataset, int64_t member)
{
    int64_t next = member;
    do {
        next = next + 1 < dataset->count ? next + 1 : 0;
    } while (dataset->labels[next] != dataset->labels[member]);
    return next;
}

/* The replacement depends on the data set alone, so that every number of ranks trains on the
 * same images. */
static elm_sample_content fill_encoded(const elm_samples *records, elm_sample_reader *reader,
                                       int64_t member, elm_rng rng, float *out)
{
    int64_t candidate = member;
    if (read_image(records, reader, member, rng, out))
        return ELM_RECORD_OWN;
    while (records->replace && (candidate = next_of_class(records->dataset, candidate)) != member)
        if (read_image(records, reader, candidate, rng, out))
            return ELM_RECORD_SUBSTITUTE;
    memset(out, 0, (size_t)records->values * sizeof *out);
    return ELM_RECORD_NOTHING;
}

elm_sample_content elm_sample_load(const elm_samples *records, elm_sample_reader *reader,
                                   int64_t member, int64_t epoch, int64_t position, float *out)
{
    const elm_dataset *dataset = records->dataset;
    const size_t values = (size_t)records->values;
    if (dataset->features != NULL) {
        memcpy(out, dataset->features + (size_t)member * values, values * sizeof *out);
        return ELM_RECORD_OWN;
    }
    elm_rng rng =
        elm_rng_stream(records->seed, ELM_RNG_AUGMENT, (uint64_t)epoch, (uint64_t)position);
    if (dataset->encoded != NULL)
        return fill_encoded(records, reader, member, rng, out);
    elm_augment_image(&records->augment, &reader->work, &rng,
                      dataset->images + (size_t)member * values, out);
    return ELM_RECORD_OWN;
}
