#include "image/header.h"

#include <stdbool.h>
#include <string.h>

#include <zlib.h>

/* Markers of ITU-T T.81, table B.1. */
enum {
    JPEG_SOI = 0xd8,
    JPEG_EOI = 0xd9,
    JPEG_SOS = 0xda,
    JPEG_TEM = 0x01,
    JPEG_RST0 = 0xd0,
    JPEG_RST7 = 0xd7,
    JPEG_APP1 = 0xe1
};

static unsigned read16(const uint8_t *bytes, bool little)
{
    return little ? bytes[0] | (unsigned)bytes[1] << 8 : (unsigned)bytes[0] << 8 | bytes[1];
}

static uint32_t read32(const uint8_t *bytes, bool little)
{
    return little ? read16(bytes, true) | (uint32_t)read16(bytes + 2, true) << 16
                  : (uint32_t)read16(bytes, false) << 16 | read16(bytes + 2, false);
}

/* The orientation in EXIF data (a TIFF header and its first directory), or 1: a broken one is no
 * reason to refuse the image. */
static int tiff_orientation(const uint8_t *tiff, size_t length)
{
    enum { ENTRY = 12, TAG = 0x0112, SHORT = 3, LONG = 4 };
    if (length < 8 || (memcmp(tiff, "II*\0", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0))
        return 1;
    const bool little = tiff[0] == 'I';
    const size_t directory = read32(tiff + 4, little);
    if (directory > length || length - directory < 2)
        return 1;
    const size_t room = (length - directory - 2) / ENTRY, told = read16(tiff + directory, little);
    for (size_t i = 0; i < told && i < room; i++) {
        const uint8_t *entry = tiff + directory + 2 + i * ENTRY;
        const unsigned type = read16(entry + 2, little);
        if (read16(entry, little) != TAG || (type != SHORT && type != LONG))
            continue;
        const uint32_t value =
            type == SHORT ? read16(entry + 8, little) : read32(entry + 8, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Of a JPEG segment: "Exif" and two zeros come first. */
static int exif_orientation(const uint8_t *segment, size_t size_bytes)
{
    enum { HEAD = 6 };
    return size_bytes >= HEAD && memcmp(segment, "Exif\0\0", HEAD) == 0
               ? tiff_orientation(segment + HEAD, size_bytes - HEAD)
               : 1;
}

static bool is_frame(int marker)
{
    return marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
}

/* Baseline, extended and progressive, Huffman or arithmetic: what libjpeg-turbo decodes. */
static bool is_decodable(int marker)
{
    return (marker >= 0xc0 && marker <= 0xc2) || marker == 0xc9 || marker == 0xca;
}

static const char *check_size(const elm_image_header *header)
{
    if (header->width < 1 || header->height < 1)
        return "no pixels";
    if (header->width > ELM_IMAGE_SIDE_MAX || header->height > ELM_IMAGE_SIDE_MAX ||
        (int64_t)header->width * header->height > ELM_IMAGE_PIXELS_MAX)
        return "too large";
    return NULL;
}

static const char *read_frame(elm_image_header *header, int marker, const uint8_t *segment,
                              size_t size_bytes)
{
    if (!is_decodable(marker))
        return "a kind of JPEG that is not supported (lossless or hierarchical)";
    if (size_bytes < 6)
        return "broken JPEG header";
    if (segment[0] != 8)
        return "a JPEG of more than 8 bits";
    header->height = (int)read16(segment + 1, false);
    header->width = (int)read16(segment + 3, false);
    return check_size(header);
}

/* The end mark cannot occur within compressed data, where a byte 255 is followed by 0 or a
 * restart mark; what comes behind it does not matter. */
static bool has_end(const uint8_t *bytes, size_t from, size_t size_bytes)
{
    for (const uint8_t *at = bytes + from, *end = bytes + size_bytes; at + 1 < end; at++) {
        at = memchr(at, 0xff, (size_t)(end - at));
        if (at == NULL || at + 1 == end)
            return false;
        if (at[1] == JPEG_EOI)
            return true;
    }
    return false;
}

static const char *read_jpeg(elm_image_header *header, const uint8_t *bytes, size_t size_bytes)
{
    bool framed = false, oriented = false;
    for (size_t at = 2;;) {
        while (at < size_bytes && bytes[at] != 0xff) /* some writers leave bytes between segments */
            at++;
        while (at < size_bytes && bytes[at] == 0xff)
            at++;
        if (at >= size_bytes)
            return "truncated";
        const int marker = bytes[at++];
        if (marker == 0 || marker == JPEG_TEM || marker == JPEG_SOI ||
            (marker >= JPEG_RST0 && marker <= JPEG_RST7))
            continue;
        if (marker == JPEG_EOI)
            return "a JPEG without an image";
        if (size_bytes - at < 2)
            return "truncated";
        const size_t length = read16(bytes + at, false);
        if (length < 2)
            return "broken JPEG header";
        if (length > size_bytes - at)
            return "truncated";
        const uint8_t *segment = bytes + at + 2;
        at += length;
        if (marker == JPEG_SOS)
            return !framed                          ? "broken JPEG header"
                   : has_end(bytes, at, size_bytes) ? NULL
                                                    : "truncated";
        if (marker == JPEG_APP1 && !oriented && length > 8 && memcmp(segment, "Exif", 4) == 0) {
            header->orientation = exif_orientation(segment, length - 2);
            oriented = true;
        } else if (is_frame(marker)) {
            const char *problem =
                framed ? "broken JPEG header" : read_frame(header, marker, segment, length - 2);
            if (problem != NULL)
                return problem;
            framed = true;
        }
    }
}

static const char *read_png(elm_image_header *header, const uint8_t *bytes, size_t size_bytes)
{
    enum { SIGNATURE = 8, CHUNK = 12 }; /* length, kind, checksum of a chunk */
    if (size_bytes < SIGNATURE + CHUNK + 13 || memcmp(bytes + 12, "IHDR", 4) != 0)
        return "broken PNG header";
    const uint32_t width = read32(bytes + 16, false), height = read32(bytes + 20, false);
    if (width > ELM_IMAGE_SIDE_MAX || height > ELM_IMAGE_SIDE_MAX)
        return "too large";
    header->width = (int)width;
    header->height = (int)height;
    for (size_t at = SIGNATURE; size_bytes - at >= CHUNK;) {
        const size_t length = read32(bytes + at, false);
        if (memcmp(bytes + at + 4, "IEND", 4) == 0)
            return check_size(header);
        if (length > size_bytes - at - CHUNK)
            return "truncated";
        if (memcmp(bytes + at + 4, "eXIf", 4) == 0 &&
            read32(bytes + at + 8 + length, false) == crc32(0, bytes + at + 4, (uInt)length + 4))
            header->orientation = tiff_orientation(bytes + at + 8, length);
        at += CHUNK + length;
    }
    return "truncated";
}

/* Names what is there, so that its owner knows what to convert. */
static const char *foreign_kind(const uint8_t *bytes, size_t size_bytes)
{
    static const struct {
        size_t place;
        const char *magic, *text;
    } kinds[] = {
        {0, "GIF8", "neither JPEG nor PNG: a GIF"},
        {0, "BM", "neither JPEG nor PNG: a BMP"},
        {8, "WEBP", "neither JPEG nor PNG: a WebP"},
        {0, "II*", "neither JPEG nor PNG: a TIFF"},
        {0, "MM", "neither JPEG nor PNG: a TIFF"},
        {4, "ftypavif", "neither JPEG nor PNG: an AVIF"},
        {4, "ftyphei", "neither JPEG nor PNG: a HEIC"},
        {0, "<!DOCTYPE", "neither JPEG nor PNG, but a web page"},
        {0, "<html", "neither JPEG nor PNG, but a web page"},
        {0, "version https://git-lfs",
         "neither JPEG nor PNG, but a pointer of Git LFS (git lfs pull fetches the image)"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const size_t length = strlen(kinds[i].magic);
        if (size_bytes >= kinds[i].place + length &&
            memcmp(bytes + kinds[i].place, kinds[i].magic, length) == 0)
            return kinds[i].text;
    }
    return "neither JPEG nor PNG";
}

const char *elm_image_header_read(elm_image_header *header, const uint8_t *bytes, size_t size_bytes)
{
    *header = (elm_image_header){.orientation = 1};
    if (size_bytes == 0)
        return "empty";
    if (size_bytes >= 3 && bytes[0] == 0xff && bytes[1] == JPEG_SOI && bytes[2] == 0xff) {
        header->format = ELM_IMAGE_JPEG;
        return read_jpeg(header, bytes, size_bytes);
    }
    if (size_bytes >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) {
        header->format = ELM_IMAGE_PNG;
        return read_png(header, bytes, size_bytes);
    }
    return foreign_kind(bytes, size_bytes);
}
