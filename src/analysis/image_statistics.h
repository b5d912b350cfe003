/* Image statistics: the network's outputs for every image of a split, and the figures computed from
 * them. */
#ifndef ELMPI_ANALYSIS_IMAGE_STATISTICS_H
#define ELMPI_ANALYSIS_IMAGE_STATISTICS_H

#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "eval/forward_pass.h"

/** Of each image, by its place in the data set; the same on all ranks after
 * elm_split_figures_share_all. */
typedef struct elm_split_figures {
    const elm_dataset *dataset;
    int64_t count;
    double *memory;
    double *predicted;  /* class of the largest logit, the first one on ties */
    double *margin;     /* gamma = f_y - max over y' != y of f_y' */
    double *confidence; /* softmax probability of the prediction */
    double *loss;       /* softmax cross-entropy of f + shift */
    /* d_max: largest distance to an image of its class in the split; filled by whoever knows */
    double *farthest;
} elm_split_figures;

/** All zero.
 *  Owns:   the caller calls elm_split_figures_release, also after an error */
int elm_split_figures_create(elm_split_figures *figures, const elm_dataset *dataset,
                             elm_error *err);
void elm_split_figures_release(elm_split_figures *figures);
/** Writes down a batch. `shift` [classes] is added to the logits for the loss. Local. */
void elm_split_figures_add(elm_split_figures *figures, const elm_outputs *outputs,
                           const double *shift);
/** Ranks:  collective */
void elm_split_figures_share_all(elm_split_figures *figures, elm_comm *comm);

enum { ELM_CALIBRATION_BINS = 15, ELM_SHIFTS = 11, ELM_CONFUSIONS = 50 };

typedef struct elm_confusion {
    int32_t label, predicted;
    int64_t count;
} elm_confusion;

typedef struct elm_quality {
    double macro_f1; /* mean over classes with images or predictions of 2 TP / (2 TP + FP + FN) */
    double calibration_error;
    /* of predictions by confidence, in equal bins of (0, 1] */
    double bin_count[ELM_CALIBRATION_BINS], bin_confidence[ELM_CALIBRATION_BINS],
        bin_accuracy[ELM_CALIBRATION_BINS];
    double shift_imbalance[ELM_SHIFTS]; /* 50 .. 1 .. 50 */
    /* accuracy if test classes were long-tailed: forward (as in training), uniform, backward */
    double shift_accuracy[ELM_SHIFTS];
    int confusions;
    elm_confusion confusion[ELM_CONFUSIONS]; /* the most frequent, largest first */
} elm_quality;

/** Math:   calibration error (Naeini et al. 2015): sum over bins of share * |accuracy -
 *          confidence|. Shifted priors (Hong et al. 2021, LADE; Zhang et al. 2022, SADE): class of
 *          rank r by training images has prior ~ rho^(-r/(L-1)), backward the other way round;
 *          exact means of per-class recall under that prior, not resampled
 *  Shape:  train_count [classes]
 *  Errors: memory */
int elm_quality_of(elm_quality *quality, const elm_split_figures *figures,
                   const int64_t *train_count, elm_error *err);

#endif
