/* Classifier: how a checkpoint's embeddings become predictions. One file a classifier, one row in a table (src/eval/classifier.c); the
 * evaluator's help and checks follow from the row. */
#ifndef ELMPI_CLASSIFIER_H
#define ELMPI_CLASSIFIER_H

#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"
#include "elmpi/status.h"

/** What a classifier may look at. Borrowed. */
typedef struct elm_classifier_input {
    elm_net *net;            /* with the checkpoint's weights */
    const elm_dataset *test; /* the split to be predicted */
    elm_comm *comm;
} elm_classifier_input;

typedef struct elm_classifier {
    const char *name; /* "fc" */
    const char *help; /* one line */
    /** Counts what it predicts of the test split, the same on all ranks.
     *  Ranks:  collective
     *  Owns:   the caller calls elm_tally_release */
    int (*count_all)(const elm_classifier_input *input, elm_tally *tally, elm_error *err);
} elm_classifier;

/** The classifiers elmpi knows, ended by name NULL. */
extern const elm_classifier elm_classifiers[];

/** The classifier of that name, or NULL.
 *  Errors: ELM_EXIT_USAGE with the nearest and all valid names */
const elm_classifier *elm_classifier_find(const char *name, elm_error *err);

#endif
