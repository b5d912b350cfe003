/* Predictions: the best classes of an image, and the file that they go to. */
#ifndef ELMPI_PREDICT_PREDICTIONS_H
#define ELMPI_PREDICT_PREDICTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/output.h"

/** A class and its probability. */
typedef struct elm_ranked_class {
    double probability;
    int64_t index;
} elm_ranked_class;

/** The most probable classes, the first one on ties.
 *  Math:   softmax(logits + shift); shift NULL: 0
 *  Shape:  logits, shift [classes]; ranked [top], top <= classes; scores [classes]: room
 *  Errors: -1 (no text) for a probability that is not finite */
int elm_classes_rank(const float *logits, const double *shift, int classes, double *scores,
                     elm_ranked_class *ranked, int top);

/** Where predictions go. Borrowed. */
typedef struct elm_prediction_file {
    elm_output *output;
    const char *const *class_names; /* [classes], or NULL: their numbers */
    int top;
    bool json;    /* an object a line; else CSV */
    bool escaped; /* for a terminal: what could steer it is shown as what it is */
} elm_prediction_file;

/** The CSV's first line: path, class1, probability1, ... */
void elm_predictions_begin(const elm_prediction_file *file);
/** An image's line: fields are quoted as RFC 4180 has it, where they need it.
 *  Errors: memory (JSON); what the disk says is noted by the output */
int elm_predictions_put(const elm_prediction_file *file, const char *path,
                        const elm_ranked_class *ranked, elm_error *err);

#endif
