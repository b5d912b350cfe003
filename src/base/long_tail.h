/* Long tail: how many images the classes of a long-tailed data set have, and their groups. */
#ifndef ELMPI_BASE_LONG_TAIL_H
#define ELMPI_BASE_LONG_TAIL_H

#include <stdint.h>

/** Images of class c in the exponential profile with imbalance ratio rho = n_max / n_min.
 *  Math:   n_c = int(n_max * (1 / rho)^(c / (L - 1))), evaluated as the public code does, so
 *          that rounding falls the same way (Cui et al. 2019; Cao et al. 2019,
 *          imbalance_cifar.py); one class: n_max */
int64_t elm_long_tail_count(double n_max, double rho, int c, int classes);

/** Head, torso or tail (0, 1, 2) of a class with `count` training images: head >= 100, torso
 * [20, 100), tail < 20 (docs/design.md, section 4). */
int elm_class_group(int64_t count);

#endif
