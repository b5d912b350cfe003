/* Images made from a hash, and sums of their bytes, as tests/golden/image_ops_golden.py makes
 * them. */
#ifndef ELMPI_UNIT_HASHED_IMAGES_H
#define ELMPI_UNIT_HASHED_IMAGES_H

#include "base/hash.h"
#include "image/augment/pixels.h"

typedef enum hashed_kind { HASHED_NOISE, HASHED_NARROW, HASHED_RAMP, HASHED_FLAT } hashed_kind;

static inline void hashed_image(hashed_kind kind, elm_image_size size, uint8_t *pixels)
{
    uint32_t state =
        (uint32_t)(size.height * 1000 + size.width * 10 + size.channels) * 2654435761u + 1;
    size_t i = 0;
    for (int y = 0; y < size.height; y++)
        for (int x = 0; x < size.width; x++)
            for (int c = 0; c < size.channels; c++, i++) {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                const int raw = (int)(state >> 24);
                const int values[] = {raw, 60 + raw % 80, (8 * x + 3 * y) % 224 + raw % 32, 77};
                pixels[i] = (uint8_t)values[kind];
            }
}

#endif
