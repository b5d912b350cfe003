/* Predict: the classes of new images, on any number of ranks. */
#ifndef ELMPI_PREDICT_H
#define ELMPI_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"
#include "elmpi/log.h"
#include "elmpi/net.h"

/** What is classified by what, and where it goes. Borrowed. */
typedef struct elm_predict_request {
    const char *const *inputs; /* images, folders, lists, archives, "-" */
    int input_count;
    elm_net *net; /* for `batch` images, with the checkpoint's weights */
    const elm_checkpoint *checkpoint;
    const char *weights; /* which of its weights `net` has: "last" (or NULL) or "ema" */
    const elm_checkpoint_input *input;
    const double *shift;    /* [classes] added to the logits (elm_prior_shift), or NULL */
    int top;                /* classes an image, 1 .. classes */
    int batch;              /* elm_evaluation_batch: roundings as in evaluation */
    const char *out;        /* "-": standard output */
    const char *embeddings; /* HDF5 file, or NULL */
    bool json;
    elm_comm *comm;
    const elm_log *log; /* gets a warning for each unreadable image */
} elm_predict_request;

typedef struct elm_predict_summary {
    int64_t images;     /* classified */
    int64_t unreadable; /* reported and passed over */
    int64_t passed;     /* files that are no images */
    double seconds;
} elm_predict_summary;

/** Classifies the images and writes what comes out in the order they are listed in, the same for
 * any number of ranks: batch b is computed by rank b % size.
 *  Ranks:  collective; the summary is the same on all
 *  Errors: what elm_image_list_make_all says; no image that can be read; outputs that cannot
 *          be written; scores that are not finite. Nothing is left under the outputs' names */
int elm_predict_all(const elm_predict_request *request, elm_predict_summary *summary,
                    elm_error *err);

#endif
