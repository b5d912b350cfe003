/* Orientation as files say it: in PNG, as a number of 32 bits, in both byte orders, and damaged. */
#include "unit/image_files.h"

#include <zlib.h>

#include "image/header.h"

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A TIFF directory with one entry; type 3: 16 bits, 4: 32 bits. */
static size_t make_tiff(uint8_t *out, int type, int orientation, bool big)
{
    const uint8_t little[26] = {'I',
                                'I',
                                '*',
                                0,
                                8,
                                0,
                                0,
                                0,
                                1,
                                0,
                                0x12,
                                1,
                                (uint8_t)type,
                                0,
                                1,
                                0,
                                0,
                                0,
                                (uint8_t)orientation};
    const uint8_t large[26] = {'M', 'M',  0, '*',           0, 0, 0, 8, 0, 1,
                               1,   0x12, 0, (uint8_t)type, 0, 0, 0, 1};
    memcpy(out, big ? large : little, sizeof little);
    if (big)
        out[type == 3 ? 19 : 21] = (uint8_t)orientation;
    return sizeof little;
}

/* Puts a chunk eXIf behind IHDR, or before IEND. */
static image_file with_exif(const image_file *png, const uint8_t *tiff, size_t length, bool last)
{
    enum { BEHIND_HEAD = 33, END = 12 };
    const size_t place = last ? png->size_bytes - END : BEHIND_HEAD;
    image_file made = {.bytes = malloc(png->size_bytes + length + 12),
                       .size_bytes = png->size_bytes + length + 12};
    uint8_t *at = made.bytes + place;
    memcpy(made.bytes, png->bytes, place);
    put32(at, (uint32_t)length);
    memcpy(at + 4, "eXIf", 4);
    memcpy(at + 8, tiff, length);
    put32(at + 8 + length, (uint32_t)crc32(0, at + 4, (uInt)length + 4));
    memcpy(at + 12 + length, png->bytes + place, png->size_bytes - place);
    return made;
}

static int orientation_of(const image_file *file)
{
    elm_image_header header;
    const char *problem = elm_image_header_read(&header, file->bytes, file->size_bytes);
    if (problem != NULL)
        fail_msg("%s", problem);
    return header.orientation;
}

static void in_png(void **state)
{
    (void)state;
    uint8_t rgb[20 * 10 * 3], tiff[32];
    paint(rgb, 20, 10);
    image_file png = make_png(rgb, 20, 10, 3);
    assert_int_equal(orientation_of(&png), 1);
    for (int orientation = 1; orientation <= 8; orientation++)
        for (int kind = 0; kind < 8; kind++) {
            const size_t length = make_tiff(tiff, kind & 1 ? 4 : 3, orientation, kind & 2);
            image_file turned = with_exif(&png, tiff, length, kind & 4);
            assert_int_equal(orientation_of(&turned), orientation);
            /* within the chunk: its check sum no longer holds */
            turned.bytes[kind & 4 ? turned.size_bytes - 14 : 60] ^= 1;
            assert_int_equal(orientation_of(&turned), 1);
            free(turned.bytes);
        }
    free(png.bytes);
}

static void of_no_meaning(void **state)
{
    (void)state;
    uint8_t rgb[20 * 10 * 3], tiff[32];
    paint(rgb, 20, 10);
    image_file png = make_png(rgb, 20, 10, 3);
    for (size_t length = 0; length < 22; length++) {
        make_tiff(tiff, 4, 6, false);
        image_file turned = with_exif(&png, tiff, length, false);
        assert_int_equal(orientation_of(&turned), 1); /* cut: the entry does not fit */
        free(turned.bytes);
    }
    static const int odd[] = {0, 9, 255};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        image_file turned = with_exif(&png, tiff, make_tiff(tiff, 3, odd[i], true), false);
        assert_int_equal(orientation_of(&turned), 1);
        free(turned.bytes);
    }
    /* a fraction */
    image_file turned = with_exif(&png, tiff, make_tiff(tiff, 5, 6, false), false);
    assert_int_equal(orientation_of(&turned), 1);
    free(turned.bytes);
    free(png.bytes);
}

static void in_jpeg(void **state)
{
    (void)state;
    uint8_t rgb[20 * 10 * 3], tiff[32];
    paint(rgb, 20, 10);
    image_file jpeg = make_jpeg(rgb, 20, 10, (jpeg_kind){.quality = 90});
    for (int big = 0; big < 2; big++) {
        const size_t length = make_tiff(tiff, 4, 8, big);
        image_file turned = {.bytes = malloc(jpeg.size_bytes + length + 10),
                             .size_bytes = jpeg.size_bytes + length + 10};
        const uint8_t head[12] = {0xff, 0xd8, 0xff, 0xe1, 0, (uint8_t)(length + 8),
                                  'E',  'x',  'i',  'f',  0, 0};
        memcpy(turned.bytes, head, sizeof head);
        memcpy(turned.bytes + sizeof head, tiff, length);
        memcpy(turned.bytes + sizeof head + length, jpeg.bytes + 2, jpeg.size_bytes - 2);
        assert_int_equal(orientation_of(&turned), 8);
        free(turned.bytes);
    }
    free(jpeg.bytes);
}

static void foreign_kinds(void **state)
{
    (void)state;
    static const char *const files[][2] = {{"GIF89a          ", "a GIF"},
                                           {"BM              ", "a BMP"},
                                           {"RIFFxxxxWEBPVP8 ", "a WebP"},
                                           {"II*\1            ", "a TIFF"},
                                           {"<html>          ", "a web page"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        elm_image_header header;
        const char *problem = elm_image_header_read(&header, (const uint8_t *)files[i][0], 16);
        assert_non_null(problem);
        if (strstr(problem, files[i][1]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", problem, files[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_png), cmocka_unit_test(of_no_meaning),
                                       cmocka_unit_test(in_jpeg), cmocka_unit_test(foreign_kinds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
