/* Metrics: what predictions are worth on a balanced test set. Pure counting, so the figures are the same for any number of ranks. */
#ifndef ELMPI_METRICS_H
#define ELMPI_METRICS_H

#include <stdint.h>
#include <stdio.h>

#include "elmpi/status.h"

typedef enum elm_group_rule {
    ELM_GROUPS_ELM,  /* head >= 100 training images, torso [20, 100), tail < 20 */
    ELM_GROUPS_KANG, /* > 100, 20 .. 100, < 20 */
} elm_group_rule;

/** Accuracies are fractions 0..1; NaN for a group or class without test images. */
typedef struct elm_metrics {
    int classes;
    int64_t images, correct;
    double accuracy;
    double balanced_accuracy; /* mean of per-class recall over classes that have test images */
    double group[3];          /* mean recall over the classes of head, torso, tail */
    int group_classes[3];
    double *recall;           /* [classes] */
    int64_t *tested;          /* [classes] */
} elm_metrics;

/** From a confusion matrix [true][predicted] and the training counts [classes].
 *  Owns:   the caller frees with elm_metrics_destroy */
int elm_metrics_create(elm_metrics **metrics, const int64_t *confusion, int classes, const int64_t *train_count, elm_group_rule rule,
                       elm_error *err);
void elm_metrics_destroy(elm_metrics *metrics);

#endif
