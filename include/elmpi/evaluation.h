/* Evaluation: runs a network over a test set on all ranks and reports what it predicts. */
#ifndef ELMPI_EVALUATION_H
#define ELMPI_EVALUATION_H

#include <stdint.h>

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/log.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"

enum { ELM_EVALUATION_BATCH = 64 }; /* fixed, so that results do not depend on the number of ranks */

/** Confusion matrix [classes][classes] (true, predicted; ties go to the lower class) of the plain logits over the whole data set, the same
 * on all ranks. Shape:  net built for at least ELM_EVALUATION_BATCH images and for the data set's classes Ranks:  collective; batch b of
 * ELM_EVALUATION_BATCH images is computed by rank b % size Owns:   *confusion to be freed with elm_free Errors: a non-finite logit, agreed
 * by all ranks; *confusion is NULL then */
int elm_evaluation_confusion_all(elm_net *net, const elm_dataset *dataset, elm_comm *comm, int64_t **confusion, elm_error *err);

/** Who was evaluated, for the table and the JSON file. Strings borrowed. */
typedef struct elm_evaluation_about {
    const char *checkpoint, *classifier, *dataset, *split;
    const char *const *class_names; /* [classes], or NULL */
    const int64_t *train_count;     /* [classes] */
} elm_evaluation_about;

/** Prints the table for people. */
void elm_evaluation_print(const elm_log *log, const elm_metrics *metrics, const elm_evaluation_about *about);
/** Writes evaluation.json (DESIGN 5: balanced_accuracy, accuracy, groups.{head,torso,tail}, per_class_accuracy, classifier, checkpoint,
 * images; NaN as null) by way of a temporary file. */
int elm_evaluation_write_json(const char *path, const elm_metrics *metrics, const elm_evaluation_about *about, elm_error *err);

#endif
