/* Augment: one record of a data set as the network's input: moved, flipped, normalized. */
#ifndef ELMPI_IMAGE_AUGMENT_AUGMENT_H
#define ELMPI_IMAGE_AUGMENT_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "image/augment/pipeline.h"
#include "image/format.h"

/** Whether data.augment's text is one that elm_augment_init knows: auto, or a pipeline
 * (image/augment/pipeline.h).
 *  Errors: ELM_EXIT_USAGE with the nearest valid step */
int elm_augment_check(const char *text, elm_error *err);

/** What is done to every image of a data set. */
typedef struct elm_augment {
    int channels, height, width;
    /* on 8-bit pixels, before what follows; what crop and flip alone do needs no pass of its own */
    elm_pipeline pipeline;
    int pad;                               /* pixels an image may move by, in each direction */
    bool flip;                             /* half of them, left to right */
    float border[ELM_FORMAT_CHANNELS_MAX]; /* normalized value of what is moved in from outside */
    float value[ELM_FORMAT_CHANNELS_MAX][256]; /* normalized value of each byte, by channel */
} elm_augment;

/** Sets up `text` (data.augment) for images of `format`.
 *  Math:   value[c][x] = (x / 255 - mean_c) / deviation_c
 *  Errors: ELM_EXIT_USAGE when features are to be augmented like images, or images as they
 *          cannot be */
int elm_augment_init(elm_augment *augment, const char *text, const elm_image_format *format,
                     elm_error *err);

/** Sets up for images in shards, which reach the pipeline as 8-bit pixels of format->height x
 * format->width: *area and *flip are what the reader of images does itself, the share of an
 * image that is cut out at random (0: none) and whether it flips half of them.
 *  Errors: ELM_EXIT_USAGE for a pipeline that does not begin with resized-crop */
int elm_augment_init_shards(elm_augment *augment, const char *text, const elm_image_format *format,
                            double area[2], bool *flip, elm_error *err);

/** One thread's memory for the pipeline. */
typedef struct elm_augment_work {
    elm_canvas canvas;
    void *block;
} elm_augment_work;

/** Owns:   elm_augment_work_release */
int elm_augment_work_init(elm_augment_work *work, const elm_augment *augment, elm_error *err);
void elm_augment_work_release(elm_augment_work *work);

/** One image: the pipeline, then crop and flip, then normalized. Crop and flip alone are
 * torchvision's RandomCrop(size, padding = pad), RandomHorizontalFlip, ToTensor, Normalize: what is
 * moved in from outside is the byte 0, which is normalized like any other, or the mean.
 *  Shape:  image uint8 [H][W][C]; out float [C][H][W]
 *  Math:   offsets uniform in -pad..pad, vertical first, then the flip; nothing is drawn that is
 *          not used */
void elm_augment_image(const elm_augment *augment, elm_augment_work *work, elm_rng *rng,
                       const uint8_t *image, float *out);

/** The same of an image that was read from a shard: pixels [C][H][W] of 0 to 255 in `out`, which
 * is changed in place.
 *  Math:   rounded to 8 bits, through the pipeline, normalized */
void elm_augment_pixels(const elm_augment *augment, elm_augment_work *work, elm_rng *rng,
                        float *out);

#endif
