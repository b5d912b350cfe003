/* Samples: how one record of a data set becomes the network's input, whatever it is: features, an
 * image in memory, an image in a shard. */
#ifndef ELMPI_DATA_SAMPLES_H
#define ELMPI_DATA_SAMPLES_H

#include "data/bad_images.h"
#include "elmpi/dataset.h"
#include "image/augment/augment.h"
#include "image/transform.h"

/** What all threads of a loader share. */
typedef struct elm_samples {
    const elm_dataset *dataset;
    elm_augment augment;           /* of images in memory */
    elm_image_transform transform; /* of images in shards */
    elm_bad_images *faults;        /* of images in shards */
    /* the next image of its class takes the place of one that cannot be read */
    bool replace;
    uint64_t seed;
    int64_t values; /* floats of one record */
    int threads;    /* that are worth while */
    bool mixes;
} elm_samples;

/** How the images of a store are, for src/image. `info` stays borrowed. */
elm_image_format elm_image_format_of(const elm_store_info *info);

/** `augment` is data.augment's text. Training replaces what cannot be read, evaluation does not.
 *  Owns:   borrows dataset; elm_samples_release
 *  Errors: ELM_EXIT_USAGE for augmentation that does not fit the records */
int elm_samples_init(elm_samples *records, const elm_dataset *dataset, const char *augment,
                     bool training, uint64_t seed, elm_error *err);
void elm_samples_release(elm_samples *records);

/** One thread's memory. */
typedef struct elm_sample_reader {
    elm_augment_work work;
    elm_image_reader *image_reader;
    uint8_t *bytes; /* of one image's file */
    size_t capacity;
    float *partner; /* [values] the image to mix with; NULL: nothing is mixed */
} elm_sample_reader;

int elm_sample_reader_init(elm_sample_reader *reader, const elm_samples *records, elm_error *err);
void elm_sample_reader_release(elm_sample_reader *reader);

/** What a record was filled with. */
typedef enum elm_sample_content {
    ELM_RECORD_OWN,
    ELM_RECORD_SUBSTITUTE, /* the next readable image of its class */
    ELM_RECORD_NOTHING,    /* zeros */
} elm_sample_content;

/** Fills out [values] with record `member`, augmented for its position in the epoch. What cannot
 * be read is noted in records->faults. */
elm_sample_content elm_sample_load(const elm_samples *records, elm_sample_reader *reader,
                                   int64_t member, int64_t epoch, int64_t position, float *out);

#endif
