/* Images: the header alone, part of the image at each reduction, and the network's input for
 * training and evaluation. The checksums of PNG's chunks are put right in inputs of an even
 * size, or nothing would get past them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "elmpi/memory.h"
#include "image/transform.h"
#include "input.h"

enum { PIXELS_MAX = 1 << 20 /* more would only be slow */, CROP = 16, RESIZE = 20 };

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void mend_png(uint8_t *bytes, size_t size_bytes)
{
    enum { SIGNATURE = 8, AROUND = 12 /* length, kind, checksum */ };
    if (size_bytes < SIGNATURE || bytes[0] != 0x89)
        return;
    for (size_t at = SIGNATURE; size_bytes - at >= AROUND;) {
        const size_t length = get32(bytes + at);
        if (length > size_bytes - at - AROUND)
            return;
        put32(bytes + at + 8 + length,
              (uint32_t)crc32(crc32(0, NULL, 0), bytes + at + 4, (uInt)(length + 4)));
        at += AROUND + length;
    }
}

static void decode_parts(const uint8_t *bytes, size_t size_bytes, const elm_image_header *header)
{
    elm_decoder *decoder = NULL;
    elm_error err = {0};
    if (elm_decoder_create(&decoder, &err) != 0)
        return;
    const elm_image_box boxes[] = {
        {0, 0, header->width, header->height},
        {header->width / 2, header->height / 2, (header->width + 1) / 2, 1},
        {0, header->height - 1, 1, 1}};
    for (size_t i = 0; i < sizeof boxes / sizeof *boxes; i++)
        for (int reduction = 1; reduction <= (header->format == ELM_IMAGE_JPEG ? 8 : 1);
             reduction *= 2) {
            elm_pixels pixels;
            volatile unsigned sum = 0;
            const int status = elm_decoder_read(decoder, bytes, size_bytes, header, boxes[i],
                                                reduction, &pixels, &err);
            fuzz_check_status(status, &err);
            for (int y = 0; status == 0 && y < pixels.height; y++)
                for (int x = 0; x < pixels.width; x++)
                    sum = sum +
                          pixels.pixels[(size_t)y * pixels.stride + (size_t)x * ELM_PIXEL_BYTES];
        }
    elm_decoder_destroy(decoder);
}

static void read_inputs(const uint8_t *bytes, size_t size_bytes)
{
    const elm_image_format format = {
        .channels = 3, .mean = {0.5f, 0.5f, 0.5f}, .std = {0.25f, 0.25f, 0.25f}};
    elm_image_reader *reader = NULL;
    elm_error err = {0};
    float out[3 * CROP * CROP];
    if (elm_image_reader_create(&reader, &err) != 0)
        return;
    elm_rng rng = elm_rng_stream(1, ELM_RNG_DATA, size_bytes, 0);
    for (int random = 0; random < 2; random++) {
        const elm_image_transform transform =
            elm_image_transform_of(&format, CROP, RESIZE, random != 0);
        const int status = elm_image_read(reader, &transform, &rng, bytes, size_bytes, out, &err);
        fuzz_check_status(status, &err);
        for (int i = 0; status == 0 && i < 3 * CROP * CROP; i++)
            fuzz_demand(isfinite(out[i]) && fabsf(out[i]) < 2.1f,
                        "an input within what bytes can be");
    }
    elm_image_reader_destroy(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    const int64_t begun = fuzz_begin();
    uint8_t *copy = malloc(size_bytes > 0 ? size_bytes : 1); /* exactly, for AddressSanitizer */
    if (copy == NULL)
        return 0;
    memcpy(copy, bytes, size_bytes);
    if (size_bytes % 2 == 0)
        mend_png(copy, size_bytes);
    elm_image_header header;
    const char *problem = elm_image_header_read(&header, copy, size_bytes);
    if (problem == NULL) {
        fuzz_demand(header.width > 0 && header.width <= ELM_IMAGE_SIDE_MAX && header.height > 0 &&
                        header.height <= ELM_IMAGE_SIDE_MAX &&
                        (int64_t)header.width * header.height <= ELM_IMAGE_PIXELS_MAX &&
                        header.orientation >= 1 && header.orientation <= 8,
                    "a header within its limits");
        if ((int64_t)header.width * header.height <= PIXELS_MAX) {
            decode_parts(copy, size_bytes, &header);
            read_inputs(copy, size_bytes);
        }
    }
    free(copy);
    fuzz_end(begun);
    return 0;
}
