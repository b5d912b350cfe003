#include "base/rng.h"

#include <math.h>
#include <string.h>

enum { SHUFFLED_BYTES_MAX = 8 };
static const double pi = 3.14159265358979323846;

static inline void round_once(uint32_t c[4], const uint32_t k[2])
{
    const uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
    const uint32_t next[4] = {(uint32_t)(b >> 32) ^ c[1] ^ k[0], (uint32_t)b,
                              (uint32_t)(a >> 32) ^ c[3] ^ k[1], (uint32_t)a};
    for (int i = 0; i < 4; i++)
        c[i] = next[i];
}

void elm_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t out[4])
{
    uint32_t k[2] = {key[0], key[1]};
    for (int i = 0; i < 4; i++)
        out[i] = counter[i];
    for (int r = 0; r < 10; r++) {
        round_once(out, k);
        k[0] += 0x9E3779B9u; /* golden ratio */
        k[1] += 0xBB67AE85u; /* sqrt(3) - 1 */
    }
}

/* The counter holds (block, a, b, use and the seed's upper half); the key mixes the seed. The
 * use takes the key's second word with the seed's upper half, so streams of different uses never
 * meet. */
elm_rng elm_rng_stream(uint64_t seed, elm_rng_use use, uint64_t a, uint64_t b)
{
    return (elm_rng){.key = {(uint32_t)seed, (uint32_t)use},
                     .counter = {0, (uint32_t)a, (uint32_t)b, (uint32_t)(seed >> 32)},
                     .used = 4};
}

uint32_t elm_rng_u32(elm_rng *rng)
{
    if (rng->used == 4) {
        elm_philox(rng->key, rng->counter, rng->block);
        rng->counter[0]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

double elm_rng_uniform(elm_rng *rng)
{
    const uint64_t high = elm_rng_u32(rng) >> 5, low = elm_rng_u32(rng) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

uint32_t elm_rng_below(elm_rng *rng, uint32_t limit)
{
    /* Lemire's method: the product's upper half is uniform once the few biased lower halves are
     * drawn again. */
    uint64_t product = (uint64_t)elm_rng_u32(rng) * limit;
    if ((uint32_t)product < limit) {
        const uint32_t threshold = -limit % limit;
        while ((uint32_t)product < threshold)
            product = (uint64_t)elm_rng_u32(rng) * limit;
    }
    return (uint32_t)(product >> 32);
}

double elm_rng_normal(elm_rng *rng)
{
    const double radius = sqrt(-2 * log(1 - elm_rng_uniform(rng)));
    return radius * cos(2 * pi * elm_rng_uniform(rng));
}

void elm_rng_shuffle(elm_rng *rng, void *items, int64_t count, size_t item_bytes)
{
    unsigned char *bytes = items, kept[SHUFFLED_BYTES_MAX];
    for (int64_t i = count - 1; i > 0; i--) {
        unsigned char *one = bytes + (size_t)i * item_bytes,
                      *other = bytes + (size_t)elm_rng_below(rng, (uint32_t)i + 1) * item_bytes;
        memcpy(kept, one, item_bytes);
        memmove(one, other, item_bytes);
        memcpy(other, kept, item_bytes);
    }
}
