/* Random numbers: Philox4x32-10 (Salmon et al. 2011), counter-based. A draw is a pure function
 * of what it is for, so there is no state to save and any number of ranks draws the same. */
#ifndef ELMPI_BASE_RNG_H
#define ELMPI_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/** What a stream of numbers is for: two uses never share a stream. */
typedef enum elm_rng_use {
    ELM_RNG_ORDER = 1,    /* (seed, epoch) */
    ELM_RNG_AUGMENT = 2,  /* (seed, epoch, position) */
    ELM_RNG_INIT = 3,     /* (seed, elm_hash_text_32 of the parameter's name) */
    ELM_RNG_DATA = 4,     /* synthetic data and held-out splits */
    ELM_RNG_LOSS = 5,     /* (seed, epoch, position) */
    ELM_RNG_ANALYSIS = 6, /* t-SNE, subsampling */
    ELM_RNG_MIX = 7,      /* (seed, epoch, global batch) */
} elm_rng_use;

typedef struct elm_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used; /* words of the block handed out */
} elm_rng;

/** The ten-round Philox4x32 bijection. Source: Salmon et al., "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011. */
void elm_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4]);

/** The stream of (seed, use, a, b); a < 2^32, b < 2^32, up to 2^34 words long. */
elm_rng elm_rng_stream(uint64_t seed, elm_rng_use use, uint64_t a, uint64_t b);

uint32_t elm_rng_u32(elm_rng *rng);
double elm_rng_uniform(elm_rng *rng);                 /* [0, 1), 53 bits */
uint32_t elm_rng_below(elm_rng *rng, uint32_t limit); /* 0 .. limit - 1, unbiased; limit > 0 */
double elm_rng_normal(elm_rng *rng);                  /* standard normal, Box-Muller */

/** Puts items into a random order: Fisher-Yates, from the end.
 *  Shape:  items [count][item_bytes], count <= 2^32, item_bytes <= 8 */
void elm_rng_shuffle(elm_rng *rng, void *items, int64_t count, size_t item_bytes);

#endif
