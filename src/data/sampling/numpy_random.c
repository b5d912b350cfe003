#include "data/sampling/numpy_random.h"

enum { MT_SHIFT = 397 };

void elm_numpy_seed(elm_numpy_random *random, uint32_t seed)
{
    random->word[0] = seed;
    for (uint32_t i = 1; i < ELM_MT_WORDS; i++)
        random->word[i] = 1812433253u * (random->word[i - 1] ^ random->word[i - 1] >> 30) + i;
    random->next = ELM_MT_WORDS;
}

static uint32_t twist(uint32_t upper, uint32_t lower)
{
    const uint32_t mixed = (upper & 0x80000000u) | (lower & 0x7fffffffu);
    return mixed >> 1 ^ (mixed & 1 ? 0x9908b0dfu : 0);
}

static void regenerate(elm_numpy_random *random)
{
    uint32_t *word = random->word;
    for (int i = 0; i < ELM_MT_WORDS; i++)
        word[i] =
            word[(i + MT_SHIFT) % ELM_MT_WORDS] ^ twist(word[i], word[(i + 1) % ELM_MT_WORDS]);
    random->next = 0;
}

uint32_t elm_numpy_u32(elm_numpy_random *random)
{
    if (random->next == ELM_MT_WORDS)
        regenerate(random);
    uint32_t value = random->word[random->next++];
    value ^= value >> 11;
    value ^= value << 7 & 0x9d2c5680u;
    value ^= value << 15 & 0xefc60000u;
    return value ^ value >> 18;
}

/* Uniform in 0..max: words masked to max's bits until one fits. */
static uint32_t draw_up_to(elm_numpy_random *random, uint32_t max)
{
    uint32_t mask = max, value;
    for (int shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    do {
        value = elm_numpy_u32(random) & mask;
    } while (value > max);
    return value;
}

void elm_numpy_shuffle(elm_numpy_random *random, int64_t *values, int64_t count)
{
    for (int64_t i = count - 1; i > 0; i--) {
        const uint32_t j = draw_up_to(random, (uint32_t)i);
        const int64_t kept = values[i];
        values[i] = values[j];
        values[j] = kept;
    }
}
