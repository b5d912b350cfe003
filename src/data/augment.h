/* Augment: one record of a data set as the network's input: moved, flipped, normalised. */
#ifndef ELMPI_DATA_AUGMENT_H
#define ELMPI_DATA_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/dataset.h"
#include "elmpi/rng.h"

#define ELM_AUGMENT_CHOICES "auto|none|crop-flip|shift|resized-crop"

/** Places in ELM_AUGMENT_CHOICES. */
enum { ELM_AUGMENT_AUTO, ELM_AUGMENT_NONE, ELM_AUGMENT_CROP_FLIP, ELM_AUGMENT_SHIFT, ELM_AUGMENT_RESIZED_CROP };

/** What is done to every picture of a data set. */
typedef struct elm_augment {
    int channels, height, width;
    int pad;                            /* pixels a picture may move by, in each direction */
    bool flip;                          /* half of them, left to right */
    float value[ELM_CHANNELS_MAX][256]; /* normalised value of each byte, by channel */
} elm_augment;

/** Sets up `choice` (a place in ELM_AUGMENT_CHOICES) for pictures like those of `info`.
 *  Math:   value[c][x] = (x / 255 - mean_c) / deviation_c
 *  Errors: ELM_EXIT_USAGE when features are to be augmented like pictures, or these like pictures in shards */
int elm_augment_init(elm_augment *augment, int choice, const elm_store_info *info, elm_error *err);

/** One picture. The transforms and their order are torchvision's RandomCrop(size, padding = pad), RandomHorizontalFlip, ToTensor,
 * Normalize: what is moved in from outside is the byte 0, which is normalised like any other. Shape:  picture uint8 [H][W][C]; out float
 * [C][H][W] Math:   offsets uniform in -pad..pad, vertical first, then the flip; nothing is drawn that is not used */
void elm_augment_picture(const elm_augment *augment, elm_rng *rng, const uint8_t *picture, float *out);

#endif
