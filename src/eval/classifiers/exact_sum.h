/* Exact sum: vectors summed over all ranks with the same bits whatever the order and the number
 * of ranks. Each value becomes a whole number of 2^-shift units, and whole numbers add up
 * exactly; the shift leaves as many digits as 63 bits have for that many values of that size. */
#ifndef ELMPI_EVAL_CLASSIFIERS_EXACT_SUM_H
#define ELMPI_EVAL_CLASSIFIERS_EXACT_SUM_H

#include <math.h>
#include <stdint.h>

/** Shift for sums of at most `count` values of absolute size at most `largest`. */
static inline int elm_exact_shift(double largest, int64_t count)
{
    int exponent = 0;
    frexp((largest > 0 ? largest : 1) * (double)(count > 0 ? count : 1), &exponent);
    return 61 - exponent;
}

static inline int64_t elm_exact_of(double value, int shift)
{
    return llrint(ldexp(value, shift));
}

static inline double elm_exact_value(int64_t sum, int shift)
{
    return ldexp((double)sum, -shift);
}

#endif
