/* Augment: one record of a data set as the network's input: moved, flipped, normalised. */
#ifndef ELMPI_DATA_AUGMENT_H
#define ELMPI_DATA_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/dataset.h"
#include "elmpi/rng.h"

/** What data.augment asks for. */
typedef struct elm_augment_plan {
    bool automatic;    /* auto: as it suits the data */
    bool resized_crop; /* pictures in shards alone */
    int pad;           /* pixels a picture may move by, in each direction */
    bool pad_mean;     /* what is moved in is the mean, 0 after normalization, instead of black */
    bool flip;
} elm_augment_plan;

/** Reads data.augment; "" is auto.
 *  Errors: ELM_EXIT_USAGE with the valid steps */
int elm_augment_parse(const char *text, elm_augment_plan *plan, elm_error *err);
int elm_augment_check(const char *text, elm_error *err);

/** What is done to every picture of a data set. */
typedef struct elm_augment {
    int channels, height, width;
    int pad;                            /* pixels a picture may move by, in each direction */
    bool flip;                          /* half of them, left to right */
    float border[ELM_CHANNELS_MAX];     /* normalised value of what is moved in from outside */
    float value[ELM_CHANNELS_MAX][256]; /* normalised value of each byte, by channel */
} elm_augment;

/** Sets up `text` (data.augment) for pictures like those of `info`.
 *  Math:   value[c][x] = (x / 255 - mean_c) / deviation_c
 *  Errors: ELM_EXIT_USAGE when features are to be augmented like pictures, or these like pictures in shards */
int elm_augment_init(elm_augment *augment, const char *text, const elm_store_info *info, elm_error *err);

/** One picture. The transforms and their order are torchvision's RandomCrop(size, padding = pad), RandomHorizontalFlip, ToTensor,
 * Normalize: what is moved in from outside is the byte 0, which is normalised like any other, or the mean. Shape:  picture uint8 [H][W][C];
 * out float [C][H][W] Math:   offsets uniform in -pad..pad, vertical first, then the flip; nothing is drawn that is not used */
void elm_augment_picture(const elm_augment *augment, elm_rng *rng, const uint8_t *picture, float *out);

#endif
