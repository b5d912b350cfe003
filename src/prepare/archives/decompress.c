#include "prepare/archives/decompress.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <string.h>

#include <zlib.h>

#include "elmpi/memory.h"

/* A decompression bomb: some kilobytes can stand for terabytes of zeros. Images and numbers
 * shrink at most a few times; the first bytes are free, so that a small archive of empty blocks
 * passes. */
static const int64_t free_bytes = INT64_C(1) << 28;
enum { RATIO_MAX = 1000, TAIL_BYTES = 64 };

const char elm_decompressor_bomb[] =
    "it unpacks to more than 1000 times its size, as no data set does";
static const char something_follows[] = "something else follows the end of its compressed data";

typedef struct unpacker {
    elm_stream *below;
    int64_t total_bytes; /* made so far */
    bool ended;
    z_stream gzip;
    bool in_member;
    struct archive *reader; /* of other compressors: one filter, "raw" format: one nameless entry */
    const void *last;       /* the block that it got last */
    size_t last_bytes;
    uint8_t tail[TAIL_BYTES]; /* the end of the last block that was not empty */
    size_t tail_bytes;
    const uint8_t *made; /* decompressed and not yet taken */
    size_t made_bytes;
} unpacker;

/** Compressors, by what their files begin with. */
static const struct {
    const char *magic;
    size_t length;
    int (*support)(struct archive *reader); /* NULL: gzip, done with zlib */
} kinds[] = {
    {"\x1f\x8b", 2, NULL},
    {"BZh", 10, archive_read_support_filter_bzip2},
    {"\xfd"
     "7zXZ",
     6, archive_read_support_filter_xz}, /* with the zero byte at its end */
    {"LZIP\x01", 5, archive_read_support_filter_lzip},
    {"\x28\xb5\x2f\xfd", 4, archive_read_support_filter_zstd},
    {"\x04\x22\x4d\x18", 4, archive_read_support_filter_lz4},
    {"\x02\x21\x4c\x18", 4, archive_read_support_filter_lz4},
    {"\x1f\x9d", 2, archive_read_support_filter_compress},
};

bool elm_decompressor_is_bomb(int64_t unpacked_bytes, int64_t packed_bytes)
{
    return unpacked_bytes > free_bytes && unpacked_bytes / RATIO_MAX > packed_bytes;
}

static ssize_t fail(char cause[ELM_STREAM_CAUSE], const char *why)
{
    snprintf(cause, ELM_STREAM_CAUSE, "%s", why);
    return -1;
}

/* More input for zlib: 1; 0 at the end. */
static int feed(unpacker *u, char cause[ELM_STREAM_CAUSE])
{
    const void *block = NULL;
    const ssize_t count = elm_stream_read(u->below, &block);
    if (count < 0)
        return (int)fail(cause, elm_stream_cause(u->below) != NULL ? elm_stream_cause(u->below)
                                                                   : "cannot be read");
    u->gzip.next_in = (Bytef *)block; /* zlib does not write there */
    u->gzip.avail_in = (uInt)count;
    return count > 0;
}

/* Behind a member: another one, or zeros to the end, as tapes have them. */
static int begin_member(unpacker *u, char cause[ELM_STREAM_CAUSE])
{
    if (*u->gzip.next_in != 0) {
        inflateReset(&u->gzip);
        u->in_member = true;
        return 0;
    }
    for (int more = 1; more > 0; more = feed(u, cause))
        for (; u->gzip.avail_in > 0; u->gzip.avail_in--)
            if (*u->gzip.next_in++ != 0)
                return (int)fail(cause, something_follows);
    u->ended = true;
    return cause[0] != '\0' ? -1 : 0;
}

static ssize_t read_gzip(void *context, uint8_t *block, char cause[ELM_STREAM_CAUSE])
{
    unpacker *u = context;
    u->gzip.next_out = block;
    u->gzip.avail_out = ELM_STREAM_BLOCK;
    while (!u->ended && u->gzip.avail_out > 0) {
        if (u->gzip.avail_in == 0) {
            const int more = feed(u, cause);
            if (more < 0 || (more == 0 && u->in_member))
                return more < 0 ? -1 : fail(cause, "truncated gzip file");
            u->ended = more == 0;
            continue;
        }
        if (!u->in_member) {
            if (begin_member(u, cause) != 0)
                return -1;
            continue;
        }
        const int result = inflate(&u->gzip, Z_NO_FLUSH);
        if (result == Z_STREAM_END) /* zlib has compared check sum and length */
            u->in_member = false;
        else if (result != Z_OK && result != Z_BUF_ERROR)
            return fail(cause, u->gzip.msg == NULL ? "gzip data cannot be decompressed"
                               : strcmp(u->gzip.msg, "incorrect data check") == 0
                                   ? "gzip checksum does not match"
                               : strcmp(u->gzip.msg, "incorrect header check") == 0
                                   ? something_follows
                                   : u->gzip.msg);
    }
    const size_t count = ELM_STREAM_BLOCK - u->gzip.avail_out;
    u->total_bytes += (int64_t)count;
    return elm_decompressor_is_bomb(u->total_bytes, elm_stream_position(u->below))
               ? fail(cause, elm_decompressor_bomb)
               : (ssize_t)count;
}

/* libarchive's callback. */
static la_ssize_t give_block(struct archive *reader, void *context, const void **block)
{
    unpacker *u = context;
    const ssize_t count = elm_stream_read(u->below, block);
    if (count < 0)
        archive_set_error(reader, -1, "%s",
                          elm_stream_cause(u->below) != NULL ? elm_stream_cause(u->below)
                                                             : "cannot be read");
    u->last = *block;
    u->last_bytes = count > 0 ? (size_t)count : 0;
    if (count > 0) {
        u->tail_bytes = u->last_bytes < TAIL_BYTES ? u->last_bytes : TAIL_BYTES;
        memcpy(u->tail, (const uint8_t *)u->last + u->last_bytes - u->tail_bytes, u->tail_bytes);
    }
    return count;
}

/* libarchive takes whatever is no further member for the end. Where that is shorter than a
 * member's head, it has asked for more in vain, and the last block is gone. */
static bool something_is_left(unpacker *u)
{
    const int64_t unread = elm_stream_position(u->below) - archive_filter_bytes(u->reader, -1);
    const uint8_t *bytes = u->last_bytes > 0 ? u->last : u->tail;
    const size_t known = u->last_bytes > 0 ? u->last_bytes : u->tail_bytes;
    const size_t left = unread <= 0 ? 0 : unread < (int64_t)known ? (size_t)unread : known;
    for (size_t i = known - left; i < known; i++)
        if (bytes[i] != 0)
            return true;
    return elm_stream_rest(u->below) != 0;
}

static int open_filter(unpacker *u)
{
    struct archive_entry *entry = NULL;
    archive_read_support_format_raw(u->reader);
    archive_read_support_format_empty(u->reader);
    if (archive_read_open(u->reader, u, NULL, give_block, NULL) != ARCHIVE_OK ||
        archive_filter_count(u->reader) < 2)
        return -1;
    const int result = archive_read_next_header(u->reader, &entry);
    u->ended = result == ARCHIVE_EOF;
    return result == ARCHIVE_OK || u->ended ? 0 : -1;
}

static ssize_t filter_failed(const unpacker *u, char cause[ELM_STREAM_CAUSE])
{
    const char *why = elm_stream_cause(u->below) != NULL ? elm_stream_cause(u->below)
                                                         : archive_error_string(u->reader);
    return fail(cause, why != NULL ? why : "cannot be decompressed");
}

static ssize_t read_filter(void *context, uint8_t *block, char cause[ELM_STREAM_CAUSE])
{
    unpacker *u = context;
    if (u->total_bytes == 0 && !u->ended && u->last == NULL && open_filter(u) != 0)
        return filter_failed(u, cause);
    size_t used = 0;
    while (!u->ended && used < ELM_STREAM_BLOCK) {
        if (u->made_bytes == 0) {
            const void *made = NULL;
            la_int64_t offset = 0;
            const int result = archive_read_data_block(u->reader, &made, &u->made_bytes, &offset);
            u->made = made;
            if (result == ARCHIVE_EOF) {
                u->made_bytes = 0;
                u->ended = true;
                if (something_is_left(u))
                    return fail(cause, elm_stream_cause(u->below) != NULL
                                           ? elm_stream_cause(u->below)
                                           : something_follows);
                break;
            }
            if (result != ARCHIVE_OK && result != ARCHIVE_WARN)
                return filter_failed(u, cause);
        }
        const size_t room = ELM_STREAM_BLOCK - used,
                     count = u->made_bytes < room ? u->made_bytes : room;
        memcpy(block + used, u->made, count);
        u->made += count;
        u->made_bytes -= count;
        used += count;
    }
    u->total_bytes += (int64_t)used;
    return elm_decompressor_is_bomb(u->total_bytes, elm_stream_position(u->below))
               ? fail(cause, elm_decompressor_bomb)
               : (ssize_t)used;
}

static void close_unpacker(void *context)
{
    unpacker *u = context;
    if (u->reader != NULL)
        archive_read_free(u->reader);
    else
        inflateEnd(&u->gzip);
    elm_stream_close(u->below);
    elm_free(u);
}

/* An lzma file has no magic: properties byte, dictionary size, size or -1. */
static bool is_lzma(const uint8_t *bytes, size_t count)
{
    if (count < 13 || bytes[0] != 0x5d || bytes[1] != 0 || (bytes[2] != 0 && bytes[3] != 0))
        return false;
    for (int i = 5; i < 13; i++)
        if (bytes[i] != 0xff)
            return bytes[11] == 0 && bytes[12] == 0;
    return true;
}

/* The level of compression, then the mark of a block or of the end. A tar, too, may begin with
 * these letters: a folder's name. */
static bool is_bzip2(const uint8_t *bytes, size_t count)
{
    return count >= 10 && memcmp(bytes, "BZh", 3) == 0 && bytes[3] >= '1' && bytes[3] <= '9' &&
           (memcmp(bytes + 4, "1AY&SY", 6) == 0 ||
            memcmp(bytes + 4, "\x17\x72\x45\x38\x50\x90", 6) == 0);
}

enum { KIND_NONE = -1, KIND_LZMA = -2, KIND_BZIP2 = 1, KIND_ZSTD = 4 };

/* Which of `kinds` the bytes begin, or KIND_... */
static int kind_of(const uint8_t *bytes, size_t count)
{
    for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
        if (i != KIND_BZIP2 && count >= kinds[i].length &&
            memcmp(bytes, kinds[i].magic, kinds[i].length) == 0)
            return i;
    if (is_bzip2(bytes, count))
        return KIND_BZIP2;
    const bool skippable =
        count >= 4 && (bytes[0] & 0xf0) == 0x50 && memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0;
    if (skippable) /* a frame that zstd and lz4 pass over: the former's tools write them first */
        return KIND_ZSTD;
    return is_lzma(bytes, count) ? KIND_LZMA : KIND_NONE;
}

int elm_decompressor_wrap(elm_stream **stream)
{
    const uint8_t *bytes = NULL;
    const size_t count = elm_stream_peek(*stream, &bytes);
    const int kind = kind_of(bytes, count);
    if (kind == KIND_NONE)
        return 0;
    unpacker *u = elm_alloc(1, sizeof *u, NULL);
    if (u == NULL)
        return -1;
    int (*support)(struct archive *) =
        kind == KIND_LZMA ? archive_read_support_filter_lzma : kinds[kind].support;
    bool made;
    if (support != NULL) {
        u->reader = archive_read_new();
        made = u->reader != NULL && support(u->reader) >= ARCHIVE_WARN;
    } else {
        enum { GZIP_ALONE = 16 + MAX_WBITS };
        made = inflateInit2(&u->gzip, GZIP_ALONE) == Z_OK;
        u->in_member = true;
    }
    elm_stream *above =
        made ? elm_stream_sequence(support != NULL ? read_filter : read_gzip, close_unpacker, u)
             : NULL;
    if (above == NULL) {
        close_unpacker(u); /* below is still NULL */
        return -1;
    }
    u->below = *stream;
    elm_stream_set_below(above, *stream);
    *stream = above;
    return 1;
}
