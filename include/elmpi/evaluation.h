/* Evaluation: runs a network over a test set on all ranks and reports what it predicts. */
#ifndef ELMPI_EVALUATION_H
#define ELMPI_EVALUATION_H

#include <signal.h>
#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/log.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"
#include "elmpi/output.h"

/** Images of an evaluation batch: a function of the data set alone, so that results do not
 * depend on the number of ranks. 64 small ones, 16 of 128 x 128 pixels and more, so that a
 * network made for a few large images a rank need not have room for many. */
int elm_evaluation_batch(const elm_store_info *info);

/** Counts what the plain logits predict (ties go to the lower class) over the whole data set, the
 * same on all ranks. `stop` set by a signal handler on any rank ends it early; NULL: never. `log`
 * gets a warning for each image that cannot be read, which the tally counts by
 * data.unreadable_test; NULL: such an image is an error.
 *  Shape:  net built for at least elm_evaluation_batch images and for the data set's classes
 *  Ranks:  collective; batch b of elm_evaluation_batch images is computed by rank b % size
 *  Owns:   the caller calls elm_recall_counts_release
 *  Errors: a non-finite logit, agreed by all ranks; ELM_EXIT_STOPPED; *tally is empty then */
int elm_evaluation_count_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm,
                             const volatile sig_atomic_t *stop, const elm_log *log,
                             elm_recall_counts *tally, elm_error *err);

/** What was evaluated, for the table and the JSON file. Strings borrowed. */
typedef struct elm_evaluation_about {
    const char *checkpoint, *classifier, *dataset, *split;
    const char *const *class_names;              /* [classes], or NULL */
    const int64_t *train_count;                  /* [classes] */
    const struct elm_evaluation_detail *details; /* of the classifier; ended by key NULL, or NULL */
    double epoch;                                /* of the checkpoint */
    int64_t step;
} elm_evaluation_about;

/** A setting of the classifier or what it was chosen by: a text, or numbers. */
typedef struct elm_evaluation_detail {
    const char *key, *text;
    const double *values;
    int count;
} elm_evaluation_detail;

/** Prints the table for people. */
void elm_evaluation_print(const elm_log *log, const elm_metrics *metrics,
                          const elm_evaluation_about *about);
/** Writes evaluation.json (docs/design.md, section 5: balanced_accuracy, accuracy,
 * groups.{head,torso,tail}, per_class_accuracy, classifier, checkpoint, images; NaN as null). */
int elm_evaluation_write_json(const char *path, const elm_metrics *metrics,
                              const elm_evaluation_about *about, elm_error *err);
/** The same into an output that is open; elm_output_commit reports failures of writing. */
int elm_evaluation_put_json(elm_output *output, const elm_metrics *metrics,
                            const elm_evaluation_about *about, elm_error *err);

#endif
