/* The rows of the classifier table. */
#ifndef ELMPI_EVAL_CLASSIFIERS_ROWS_H
#define ELMPI_EVAL_CLASSIFIERS_ROWS_H

#include "elmpi/classifier.h"

int elm_fc_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err);
int elm_posthoc_la_count_all(const elm_classifier_input *input, elm_recall_counts *tally,
                             elm_error *err);
int elm_tau_norm_count_all(const elm_classifier_input *input, elm_recall_counts *tally,
                           elm_error *err);
int elm_ncm_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err);
/* only with ScaLAPACK */
int elm_lda_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err);
int elm_knn_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err);

#endif
