/* Nonfinite search: which values of a discarded step are not finite, and of which images. */
#ifndef ELMPI_TRAIN_NONFINITE_SEARCH_H
#define ELMPI_TRAIN_NONFINITE_SEARCH_H

#include "train/step.h"

/** Nothing is known of this global batch yet. */
void elm_nonfinite_found_reset(elm_trainer *trainer);
/** Looks at a part of the global batch whose loss or gradients are not finite on this rank,
 * before the next one takes its place. Local. */
void elm_nonfinite_found_note(elm_trainer *trainer, const elm_batch *part);

#endif
