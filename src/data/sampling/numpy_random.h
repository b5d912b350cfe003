/* NumPy random: the part of numpy.random.RandomState that the public long-tail subsets are drawn
 * with, bit for bit. */
#ifndef ELMPI_DATA_SAMPLING_NUMPY_RANDOM_H
#define ELMPI_DATA_SAMPLING_NUMPY_RANDOM_H

#include <stdint.h>

enum { ELM_MT_WORDS = 624 };

/** State of a Mersenne Twister MT19937. */
typedef struct elm_numpy_random {
    uint32_t word[ELM_MT_WORDS];
    int next;
} elm_numpy_random;

/** RandomState(seed).
 *  Source: Matsumoto and Nishimura 1998, init_genrand of 2002 */
void elm_numpy_seed(elm_numpy_random *random, uint32_t seed);

/** The next 32 bits. */
uint32_t elm_numpy_u32(elm_numpy_random *random);

/** RandomState.shuffle of a one-dimensional array: Fisher-Yates from the end; a place in 0..i is
 * drawn by masking 32-bit words and rejecting those above i.
 *  Shape:  values [count], count <= 2^32 */
void elm_numpy_shuffle(elm_numpy_random *random, int64_t *values, int64_t count);

#endif
