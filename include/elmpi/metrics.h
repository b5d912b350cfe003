/* Metrics: what predictions are worth on a balanced test set. Pure counting, so the figures are
 * the same for any number of ranks. */
#ifndef ELMPI_METRICS_H
#define ELMPI_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

enum { ELM_GROUPS = 3 }; /* head, torso, tail */

typedef enum elm_group_rule {
    ELM_GROUPS_ELM,  /* head >= 100 training images, torso [20, 100), tail < 20 */
    ELM_GROUPS_KANG, /* > 100, 20 .. 100, < 20 */
} elm_group_rule;

/** Predictions counted by class: what the metrics need, small for any number of classes. */
typedef struct elm_recall_counts {
    int classes;
    int64_t *tested, *correct; /* [classes] each, one block */
    int64_t unreadable;        /* images that could not be read: */
    bool omits;                /* left out, else among those tested, and wrong */
} elm_recall_counts;

/** All zero.
 *  Owns:   the caller calls elm_recall_counts_release, also after an error */
int elm_recall_counts_create(elm_recall_counts *tally, int classes, elm_error *err);
void elm_recall_counts_release(elm_recall_counts *tally);
static inline void elm_recall_counts_add(elm_recall_counts *tally, int label, int predicted)
{
    tally->tested[label]++;
    tally->correct[label] += predicted == label;
}

/** An image that could not be read. */
static inline void elm_recall_counts_add_unreadable(elm_recall_counts *tally, int label)
{
    tally->unreadable++;
    tally->tested[label] += !tally->omits;
}

/** Accuracies are fractions 0..1; NaN for a group or class without test images. */
typedef struct elm_metrics {
    int classes;
    elm_group_rule rule;
    int64_t images, correct;
    /* images that could not be read: counted among the images as wrong, or left out */
    int64_t unreadable;
    bool omits;
    double accuracy;
    double balanced_accuracy; /* mean of per-class recall over classes that have test images */
    /* mean recall over the classes of head, torso, tail that have test images */
    double group[ELM_GROUPS];
    int group_classes[ELM_GROUPS]; /* all classes of the group */
    double *recall;                /* [classes] */
    int64_t *tested;               /* [classes] */
} elm_metrics;

/** From what was counted and the training images of each class [tally->classes].
 *  Owns:   the caller frees with elm_metrics_destroy */
int elm_metrics_create(elm_metrics **metrics, const elm_recall_counts *tally,
                       const int64_t *train_count, elm_group_rule rule, elm_error *err);
void elm_metrics_destroy(elm_metrics *metrics);

/** The rule of that name ("elm", "kang").
 *  Errors: ELM_EXIT_USAGE with the valid names */
int elm_group_rule_parse(const char *name, elm_group_rule *rule, elm_error *err);
const char *elm_group_rule_name(elm_group_rule rule);
/** The training counts of a group in words: ">= 100", "20 .. 99", "< 20". */
const char *elm_group_range(elm_group_rule rule, int group);
/** "head", "torso", "tail". */
const char *elm_group_name(int group);

#endif
