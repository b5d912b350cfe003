/* Image files: JPEG and PNG files of all kinds, made in memory for the tests. */
#ifndef ELMPI_TESTS_IMAGE_FILES_H
#define ELMPI_TESTS_IMAGE_FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <png.h>

typedef struct image_file {
    uint8_t *bytes; /* free */
    size_t size_bytes;
} image_file;

typedef struct jpeg_kind {
    int quality;
    bool progressive, gray, cmyk;
    int sampling;    /* 1: chroma in full; 2: half as many columns and rows */
    int orientation; /* EXIF; 0: not said */
    bool big_endian; /* of EXIF */
} jpeg_kind;

/** A smooth, colored scene with an edge, so that JPEG keeps it nearly as it is and every corner
 * is another. */
static inline void paint(uint8_t *rgb, int width, int height)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *at = rgb + 3 * ((size_t)y * (size_t)width + (size_t)x);
            at[0] = (uint8_t)(20 + 200 * x / width);
            at[1] = (uint8_t)(230 - 210 * y / height);
            at[2] =
                (uint8_t)(x * 3 < width && y * 2 > height ? 220 : 40 + 60 * ((x + y) % 40) / 40);
        }
}

static inline void write_exif(struct jpeg_compress_struct *jpeg, int orientation, bool big)
{
    uint8_t little_bytes[] = {'E',  'x', 'i', 'f', 0, 0, 'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0,
                              0x12, 1,   3,   0,   1, 0, 0,   0,   0,  0, 0, 0, 0, 0, 0, 0};
    uint8_t big_bytes[] = {'E', 'x',  'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1,
                           1,   0x12, 0,   3,   0, 0, 0,   1,   0, 0,  0, 0, 0, 0, 0, 0};
    little_bytes[24] = big_bytes[25] = (uint8_t)orientation;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, big ? big_bytes : little_bytes, sizeof big_bytes);
}

/** rgb [height][width][3]; CMYK: written as Adobe does, inverted, with black taken out. */
static inline image_file make_jpeg(const uint8_t *rgb, int width, int height, jpeg_kind kind)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size_bytes = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size_bytes);
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = kind.cmyk ? 4 : 3;
    jpeg.in_color_space = kind.cmyk ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    if (kind.gray)
        jpeg_set_colorspace(&jpeg, JCS_GRAYSCALE);
    jpeg_set_quality(&jpeg, kind.quality, TRUE);
    if (kind.progressive)
        jpeg_simple_progression(&jpeg);
    if (!kind.gray && !kind.cmyk && kind.sampling == 1)
        jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1;
    jpeg_start_compress(&jpeg, TRUE);
    if (kind.orientation != 0)
        write_exif(&jpeg, kind.orientation, kind.big_endian);
    uint8_t *row = malloc((size_t)width * 4);
    for (int y = 0; y < height; y++) {
        const uint8_t *from = rgb + 3 * (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++) {
            const uint8_t *p = from + 3 * (size_t)x;
            if (!kind.cmyk) {
                memcpy(row + 3 * (size_t)x, p, 3);
                continue;
            }
            const int light =
                p[0] > p[1] ? (p[0] > p[2] ? p[0] : p[2]) : (p[1] > p[2] ? p[1] : p[2]);
            for (int c = 0; c < 3; c++)
                row[4 * (size_t)x + (size_t)c] = (uint8_t)(light > 0 ? p[c] * 255 / light : 0);
            row[4 * (size_t)x + 3] = (uint8_t)light;
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    free(row);
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    return (image_file){bytes, size_bytes};
}

/** channels: 1 gray, 3 color, 4 color and half transparent. */
static inline image_file make_png(const uint8_t *rgb, int width, int height, int channels)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = channels == 1   ? PNG_FORMAT_GRAY
                                 : channels == 3 ? PNG_FORMAT_RGB
                                                 : PNG_FORMAT_RGBA};
    uint8_t *pixels = malloc((size_t)width * (size_t)height * (size_t)channels);
    for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
        for (int c = 0; c < channels; c++)
            pixels[i * (size_t)channels + (size_t)c] = c < 3 ? rgb[3 * i + (size_t)c] : 128;
    }
    png_alloc_size_t size_bytes = 0;
    assert_true(png_image_write_to_memory(&image, NULL, &size_bytes, 0, pixels, 0, NULL));
    uint8_t *bytes = malloc(size_bytes);
    assert_true(png_image_write_to_memory(&image, bytes, &size_bytes, 0, pixels, 0, NULL));
    free(pixels);
    return (image_file){bytes, size_bytes};
}

#endif
