/* Pull kernels: the pull term's loops over an embedding's components. */
#ifndef ELMPI_LOSS_EMBEDDING_PULL_KERNELS_H
#define ELMPI_LOSS_EMBEDDING_PULL_KERNELS_H

#include "base/cpu/kernels.h"
#include "loss/embedding/memory_bank.h"

/** Rows are given as the bank gives them: value k is x[k] * scale, in double, so that
 * normalizing costs no digit. `a` and `u` are in fp32. */
typedef struct elm_pull_kernels {
    double (*squared_distance)(elm_memory_bank_row a, elm_memory_bank_row b, int width);
    /* to += weight (a - b) */
    void (*add_difference)(double *to, double weight, elm_memory_bank_row a, elm_memory_bank_row b,
                           int width);
    void (*multiply)(double *x, double factor, int width);
    double (*along)(const double *x, elm_memory_bank_row u, int width); /* x . u */
    /* x = (x - along u) scale, with u's scale */
    void (*project)(double *x, double along, elm_memory_bank_row u, int width);
    void (*add_to)(float *to, double factor, const double *x, int width); /* to += factor x */
} elm_pull_kernels;

ELM_KERNELS(elm_pull_kernels, elm_pull_kernels_of);

#endif
