/* Content: whether images in shards are still those that the store was made from, and a figure
 * that stands for what they are. */
#ifndef ELMPI_DATA_CONTENT_H
#define ELMPI_DATA_CONTENT_H

#include <stdint.h>

#include "elmpi/dataset.h"

/** Reads up to 256 images, the first, the last, and others at equal distances, however the shards
 * are cut.
 *  Shape:  *sample stands for what they are, 0 for data sets whose images are in memory, or with
 *          data.verify = none
 *  Ranks:  local
 *  Errors: an image that cannot be read, or, where the store has digests, that is another one
 *          than when the store was made */
int elm_content_sample(const elm_dataset *set, uint64_t *sample, elm_error *err);

/** With data.verify = all, compares the images first, first + step, .. with the store's digests.
 *  Ranks:  local: each rank takes a share
 *  Errors: as above */
int elm_content_verify(const elm_dataset *set, int64_t first, int64_t step,
                       void (*tick)(void *context), void *context, elm_error *err);

/** What stands for the digests of all images; 0 where the store, made by an earlier elmpi, has
 * none. */
uint64_t elm_content_of_digests(const elm_dataset *set);

#endif
