/* Subset: the long-tailed part of a balanced training set, members chosen as the public LDAM-DRW
 * code does, so that results compare. */
#ifndef ELMPI_DATA_SAMPLING_SUBSET_H
#define ELMPI_DATA_SAMPLING_SUBSET_H

#include <stdint.h>

#include "elmpi/status.h"

/** Members of the subset with imbalance ratio rho = n_max / n_min.
 *  Math:   n_c = int(N / L * rho^(-c / (L - 1))); NumPy's RandomState(0): for each class in turn
 *          the ascending positions shuffled, first n_c kept (Cao et al. 2019, LDAM-DRW,
 *          imbalance_cifar.py)
 *  Shape:  labels [count] below `classes`; *members [*member_count] ascending positions (store
 *          order)
 *  Owns:   *members to be freed with elm_free
 *  Errors: a class that has fewer images than n_c, or no image left at this rho; rho < 1
 *          (ELM_EXIT_USAGE, all three: another data.imbalance helps) */
int elm_subset_long_tail(const int32_t *labels, int64_t count, int classes, double rho,
                         int64_t **members, int64_t *member_count, elm_error *err);

#endif
