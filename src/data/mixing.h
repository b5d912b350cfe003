/* Mixing: images of a batch mixed with each other (data.mix). Who is mixed with whom, and how, is
 * a function of (seed, epoch, global batch): the same on any number of ranks, and a rank loads the
 * partners of its images itself. */
#ifndef ELMPI_DATA_MIXING_H
#define ELMPI_DATA_MIXING_H

#include "base/rng.h"
#include "elmpi/dataset.h"

/** One global batch's draw. */
typedef struct elm_mixing {
    bool mixes;   /* false: this batch stays as it is */
    double share; /* lambda: of an image's own label; the partner's has the rest */
    bool pastes;  /* cutmix: the partner's box takes the place of the image's */
    int top, left, height, width;
} elm_mixing;

/** Draws it.
 *  Math:   lambda ~ Beta(alpha, alpha), one for the batch. mixup (Zhang et al. 2018): x = lambda x_i
 *          + (1 - lambda) x_j. cutmix (Yun et al. 2019): a box of int(H sqrt(1 - lambda)) x int(W
 *          sqrt(1 - lambda)) pixels around a uniform pixel, clipped, comes from x_j, and lambda
 *          becomes the share of the image that is left. With probability 1 - data.mix.probability
 *          nothing is mixed
 *  Shape:  partner [images] places in the global batch: a permutation, drawn only if `mixes`;
 *          height, width of an image, 0 for features */
elm_mixing elm_mixing_draw(const elm_data_options *options, uint64_t seed, int64_t epoch,
                           int64_t index, int64_t images, int height, int width, int64_t *partner);

/** Beta(alpha, alpha) by two gamma variates (Marsaglia and Tsang 2000). */
double elm_mixing_beta(elm_rng *rng, double alpha);

/** Mixes one image, or feature vector, in place.
 *  Shape:  image, partner [channels][height][width], or [channels] with height = width = 1 */
void elm_mixing_apply(const elm_mixing *mixing, int channels, int height, int width, float *image,
                      const float *partner);

/** Errors: ELM_EXIT_USAGE: cutmix of feature vectors */
int elm_mixing_check(const elm_data_options *options, const elm_store_info *info, elm_error *err);

#endif
