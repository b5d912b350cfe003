/* Image batch: images as a batch of the network's input. */
#ifndef ELMPI_PREDICT_BATCH_H
#define ELMPI_PREDICT_BATCH_H

#include "elmpi/checkpoint.h"
#include "predict/image_list.h"

enum { ELM_REASON_BYTES = 120 };

/** What a batch is read with: a reader for each thread, room for the input. */
typedef struct elm_image_batches elm_image_batches;

/** Owns:   the caller destroys; borrows list and input
 *  Errors: ELM_EXIT_USAGE for a network whose input is no square image of 1 or 3 channels */
int elm_image_batches_create(elm_image_batches **batches, const elm_image_list *list,
                             const elm_checkpoint_input *input, int size, elm_error *err);
void elm_image_batches_destroy(elm_image_batches *batches);

/** Reads images first .. first + count - 1 of the list. What cannot be read is zero, and its
 * reason no empty text.
 *  Math:   as in evaluation: turned as EXIF says, the short side resized (bilinear, antialiased),
 *          the center cut out, normalized; a network of one channel sees the luma
 *          0.299 R + 0.587 G + 0.114 B (ITU-R BT.601)
 *  Shape:  returns [size][channels][height][width], borrowed until the next call; reasons [count]
 *  Ranks:  local; must go forward in the list where it holds archives that are read in order
 *  Errors: NULL: memory, a broken archive */
const float *elm_image_batches_read(elm_image_batches *batches, int64_t first, int count,
                                    char (*reasons)[ELM_REASON_BYTES], elm_error *err);

#endif
