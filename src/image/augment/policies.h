/* Policies: augmentation that draws its operations from a list.
 *
 *  Source: AutoAugment (Cubuk et al. 2019), RandAugment (Cubuk et al. 2020), TrivialAugment
 *          (Müller and Hutter 2021); magnitudes, signs and fills as the public code that
 *          long-tail methods share, as timm and as torchvision have them */
#ifndef ELMPI_IMAGE_AUGMENT_POLICIES_H
#define ELMPI_IMAGE_AUGMENT_POLICIES_H

#include "base/rng.h"
#include "image/augment/operations.h"

#define ELM_AUTOAUGMENT_CHOICES "cifar10|cifar10-torchvision|imagenet"
#define ELM_RANDAUGMENT_CHOICES "torchvision|timm|timm-inc"

/** One of the policy's 25 pairs of operations; each of the two with its own probability. */
void elm_autoaugment(elm_canvas *canvas, int policy, elm_rng *rng);

/** `count` operations of magnitude m: torchvision's of 0 to 30, timm's of 0 to 10 with a
 * deviation of 0.5. */
void elm_randaugment(elm_canvas *canvas, int variant, int count, double m, elm_rng *rng);

/** One operation with a magnitude of 0 to 30, torchvision's TrivialAugmentWide. */
void elm_trivialaugment(elm_canvas *canvas, elm_rng *rng);

#endif
