/* The margin rule alpha_y of the pull term. */
#ifndef ELMPI_LOSS_EMBEDDING_PULL_ALPHA_H
#define ELMPI_LOSS_EMBEDDING_PULL_ALPHA_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

/** alpha = (share ? pi : n)^exponent. */
typedef struct elm_pull_alpha {
    bool share;
    double exponent;
} elm_pull_alpha;

/** Reads pi, sqrt-pi, n, sqrt-n, pi^<a> or n^<a>.
 *  Errors: ELM_EXIT_USAGE with the valid forms */
int elm_pull_alpha_parse(const char *text, elm_pull_alpha *alpha, elm_error *err);

/** The margin of a class with `count` of `total` training images; 0 for a class without any,
 * which no training batch can hold. */
double elm_pull_alpha_of(elm_pull_alpha alpha, int64_t count, int64_t total);

#endif
