/* Classifier: how a checkpoint's embeddings become predictions. One file a classifier, one row
 * in a table (src/eval/classifier.c); the evaluator's help and checks follow from the row. */
#ifndef ELMPI_CLASSIFIER_H
#define ELMPI_CLASSIFIER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/log.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"
#include "elmpi/status.h"

enum { ELM_TAUS = 21 }; /* tau-norm tries 0, 0.1, .. 2 */

/** What a user may set, and what was chosen. */
typedef struct elm_classifier_settings {
    /* posthoc-la, tau-norm; NaN: 1, or chosen on the selection split. Afterwards the one that
     * was used */
    double tau;
    int64_t k;                     /* knn */
    bool cosine;                   /* knn: else Euclidean distance */
    double epsilon;                /* lda: shrinkage, a share of the mean variance */
    bool chosen;                   /* out: tau was chosen, by */
    double tau_accuracy[ELM_TAUS]; /* out: the selection split's balanced accuracy for each */
} elm_classifier_settings;

/** What a classifier may look at. Borrowed. */
typedef struct elm_classifier_input {
    elm_net *net;             /* with the checkpoint's weights */
    const elm_dataset *test;  /* the split to be predicted */
    const elm_dataset *train; /* ELM_CLASSIFIER_TRAIN: images as in evaluation; else NULL */
    /* ELM_CLASSIFIER_SELECTION, unless tau is set: what to choose it on; else NULL */
    const elm_dataset *selection;
    const int64_t *train_count; /* [classes] training images */
    elm_comm *comm;
    const volatile sig_atomic_t *stop; /* or NULL */
    /* gets a warning for each image of the test split that cannot be read; NULL: such an image
     * is an error */
    const elm_log *log;
    elm_classifier_settings *settings; /* NULL for fc */
} elm_classifier_input;

/** What a classifier needs, and which settings it takes. */
enum {
    ELM_CLASSIFIER_TRAIN = 1,
    ELM_CLASSIFIER_SELECTION = 2,
    ELM_CLASSIFIER_TAU = 4,
    ELM_CLASSIFIER_NEIGHBORS = 8,
    ELM_CLASSIFIER_SHRINKAGE = 16
};

typedef struct elm_classifier {
    const char *name; /* "fc" */
    const char *help; /* one line: what it does, source */
    int uses;         /* of the above */
    /** Counts what it predicts of the test split, the same on all ranks and for any number of them.
     * NULL: this build lacks a library for it.
     *  Ranks:  collective
     *  Owns:   the caller calls elm_recall_counts_release */
    int (*count_all)(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err);
} elm_classifier;

/** The classifiers elmpi knows, ended by name NULL; the first one is fc. */
extern const elm_classifier elm_classifiers[];

/** The classifier of that name, or NULL.
 *  Errors: ELM_EXIT_USAGE with the nearest and all valid names */
const elm_classifier *elm_classifier_find(const char *name, elm_error *err);

#endif
