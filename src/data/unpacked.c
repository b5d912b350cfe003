#include "data/unpacked.h"

#include <archive_entry.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"

enum { BLOCK_BYTES = 1 << 16, TRAILER_BYTES = 8 };

/* A decompression bomb: some kilobytes can stand for terabytes of zeros. Pictures and numbers shrink at most a few times; the first bytes
 * are free, so that a small archive of empty blocks passes. */
static const int64_t free_bytes = INT64_C(1) << 28;
enum { RATIO_MAX = 1000 };

const char elm_unpacked_bomb[] = "it unpacks to more than 1000 times its size, as no data set does";

struct elm_unpacked {
    struct archive *inner; /* decompressing filters, "raw" format: one nameless entry, the decompressed stream */
    bool ended;
    char cause[256]; /* of a failure */
    bool gzip;       /* the rest is gzip's checksum */
    uint32_t table[256];
    uint32_t crc;
    uint64_t total_bytes;
    uint32_t crc_told, bytes_told; /* the file's last eight bytes: CRC-32 and size modulo 2^32 */
};

/* The last bytes of a place, without disturbing a reader of it. */
static bool peek_end(const elm_archive_place *place, uint8_t *bytes, size_t count)
{
    if (place->bytes != NULL) {
        if (place->size_bytes < count)
            return false;
        memcpy(bytes, (const uint8_t *)place->bytes + place->size_bytes - count, count);
        return true;
    }
    FILE *file = fopen(place->name, "rb");
    if (file == NULL)
        return false;
    const bool ok = fseek(file, -(long)count, SEEK_END) == 0 && fread(bytes, 1, count, file) == count;
    fclose(file);
    return ok;
}

static uint32_t little_endian(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* CRC-32 of ISO 3309, reflected polynomial 0xedb88320 (RFC 1952, section 8). */
static void make_table(uint32_t table[256])
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++)
            value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
        table[byte] = value;
    }
}

static void tally(elm_unpacked *unpacked, const uint8_t *bytes, size_t count)
{
    uint32_t crc = unpacked->crc;
    for (size_t i = 0; i < count; i++)
        crc = crc >> 8 ^ unpacked->table[(crc ^ bytes[i]) & 0xff];
    unpacked->crc = crc;
}

bool elm_unpacked_is_bomb(int64_t unpacked_bytes, int64_t packed_bytes)
{
    return unpacked_bytes > free_bytes && unpacked_bytes / RATIO_MAX > packed_bytes;
}

/* A file of several gzip members tells the checksum of its last one only; its size then differs from the total, and nothing can be said. */
static bool gzip_checksum_wrong(const elm_unpacked *unpacked)
{
    return unpacked->gzip && (uint32_t)unpacked->total_bytes == unpacked->bytes_told && ~unpacked->crc != unpacked->crc_told;
}

/* Why the bytes have ended: nothing where they are at their end. */
static void note_cause(elm_unpacked *unpacked, int result)
{
    const char *cause = NULL;
    if (result == ARCHIVE_OK || result == ARCHIVE_WARN)
        cause = elm_unpacked_bomb;
    else if (result != ARCHIVE_EOF && (cause = archive_error_string(unpacked->inner)) == NULL)
        cause = "cannot be decompressed";
    else if (result == ARCHIVE_EOF && gzip_checksum_wrong(unpacked))
        cause = "gzip checksum does not match";
    snprintf(unpacked->cause, sizeof unpacked->cause, "%s", cause != NULL ? cause : "");
}

/* libarchive's read callback: the next decompressed block, 0 bytes at the end. */
static la_ssize_t next_block(struct archive *reader, void *context, const void **block)
{
    elm_unpacked *unpacked = context;
    if (unpacked->ended)
        return 0;
    size_t count = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(unpacked->inner, block, &count, &offset);
    if (result == ARCHIVE_OK || (result == ARCHIVE_WARN && count > 0)) {
        if (unpacked->gzip)
            tally(unpacked, *block, count);
        unpacked->total_bytes += count;
        if (!elm_unpacked_is_bomb((int64_t)unpacked->total_bytes, elm_unpacked_position(unpacked)))
            return (la_ssize_t)count;
    }
    unpacked->ended = true;
    note_cause(unpacked, result);
    if (unpacked->cause[0] == '\0')
        return 0;
    archive_set_error(reader, EIO, "%s", unpacked->cause);
    return -1;
}

const char *elm_unpacked_cause(const elm_unpacked *unpacked)
{
    return unpacked != NULL && unpacked->cause[0] != '\0' ? unpacked->cause : NULL;
}

void elm_unpacked_support(struct archive *reader)
{
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_compress(reader);
    archive_read_support_filter_lzma(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_lzip(reader);
    archive_read_support_filter_zstd(reader);
    archive_read_support_filter_lz4(reader);
}

static int open_inner(struct archive *inner, const elm_archive_place *place)
{
    struct archive_entry *entry = NULL;
    elm_unpacked_support(inner);
    archive_read_support_format_raw(inner);
    const int opened = place->bytes != NULL ? archive_read_open_memory(inner, place->bytes, place->size_bytes)
                                            : archive_read_open_filename(inner, place->name, BLOCK_BYTES);
    return opened == ARCHIVE_OK && archive_read_next_header(inner, &entry) == ARCHIVE_OK ? 0 : -1;
}

static bool prepare_checksum(elm_unpacked *unpacked, const elm_archive_place *place)
{
    uint8_t trailer[TRAILER_BYTES];
    unpacked->gzip = archive_filter_code(unpacked->inner, 0) == ARCHIVE_FILTER_GZIP;
    if (!unpacked->gzip)
        return true;
    if (!peek_end(place, trailer, sizeof trailer))
        return false;
    unpacked->crc = 0xffffffffu;
    unpacked->crc_told = little_endian(trailer);
    unpacked->bytes_told = little_endian(trailer + 4);
    make_table(unpacked->table);
    return true;
}

int elm_unpacked_open(elm_unpacked **out, const elm_archive_place *place, struct archive *reader)
{
    *out = NULL;
    elm_unpacked *unpacked = elm_alloc(1, sizeof *unpacked, NULL);
    if (unpacked == NULL || (unpacked->inner = archive_read_new()) == NULL) {
        archive_set_error(reader, ENOMEM, "out of memory");
        goto fail;
    }
    if (open_inner(unpacked->inner, place) != 0) {
        const char *cause = archive_error_string(unpacked->inner);
        archive_set_error(reader, EIO, "%s", cause != NULL ? cause : "empty file");
        goto fail;
    }
    if (archive_filter_count(unpacked->inner) < 2) { /* the file itself is the last filter */
        elm_unpacked_destroy(unpacked);
        return 0;
    }
    if (!prepare_checksum(unpacked, place)) {
        archive_set_error(reader, EIO, "truncated gzip file");
        goto fail;
    }
    *out = unpacked; /* before the reader takes its first bytes */
    return archive_read_open(reader, unpacked, NULL, next_block, NULL) == ARCHIVE_OK ? 0 : -1;
fail:
    elm_unpacked_destroy(unpacked);
    return -1;
}

int elm_unpacked_finish(elm_unpacked *unpacked, struct archive *reader)
{
    la_ssize_t count = 0;
    const void *block = NULL;
    do {
        count = next_block(reader, unpacked, &block);
    } while (count > 0);
    return count < 0 ? -1 : 0;
}

int64_t elm_unpacked_position(const elm_unpacked *unpacked)
{
    return archive_filter_bytes(unpacked->inner, -1);
}

void elm_unpacked_destroy(elm_unpacked *unpacked)
{
    if (unpacked == NULL)
        return;
    archive_read_free(unpacked->inner);
    elm_free(unpacked);
}
