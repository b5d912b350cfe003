#include "prepare/archives/zip_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "elmpi/memory.h"

/* APPNOTE.TXT, sections 4.3.7 to 4.3.16 and 4.6.9. */
enum {
    LOCAL = 0x04034b50,
    CENTRAL = 0x02014b50,
    END = 0x06054b50,
    LOCATOR = 0x07064b50,
    END64 = 0x06064b50,
    SIGNATURE = 0x05054b50
};
enum {
    LOCAL_BYTES = 30,
    CENTRAL_BYTES = 46,
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    COMMENT_MAX = 65535
};
enum { EXTRA_ZIP64 = 0x0001, EXTRA_UNICODE_PATH = 0x7075, UNICODE_HEAD = 5, ENCRYPTED = 1 };
enum { SYSTEM_DOS = 0, SYSTEM_NTFS = 10, SYSTEM_VFAT = 14 };

static const char damaged[] = "its directory is damaged";

static uint32_t get16(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8;
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) | get16(at + 2) << 16;
}

static uint64_t get64(const uint8_t *at)
{
    return get32(at) | (uint64_t)get32(at + 4) << 32;
}

static int fail(char cause[ELM_STREAM_CAUSE], const char *why)
{
    snprintf(cause, ELM_STREAM_CAUSE, "%s", why);
    return -1;
}

/** Where the directory lies. */
typedef struct directory {
    int64_t place, size_bytes, count;
    int64_t shift;     /* bytes in front of the archive, which offsets do not count */
    bool count_is_low; /* its lower 16 bits */
} directory;

static int take_end64(const elm_stream *stream, int64_t *end, directory *d,
                      char cause[ELM_STREAM_CAUSE])
{
    uint8_t locator[LOCATOR_BYTES], bytes[END64_BYTES];
    if (*end < LOCATOR_BYTES ||
        !elm_stream_read_at(stream, *end - LOCATOR_BYTES, locator, sizeof locator) ||
        get32(locator) != LOCATOR)
        return 0;
    int64_t place = (int64_t)get64(locator + 8);
    if (place < 0 || !elm_stream_read_at(stream, place, bytes, sizeof bytes) ||
        get32(bytes) != END64) {
        place = *end - LOCATOR_BYTES - END64_BYTES; /* something stands in front of the archive */
        if (place < 0 || !elm_stream_read_at(stream, place, bytes, sizeof bytes) ||
            get32(bytes) != END64)
            return fail(cause, damaged);
    }
    d->count = (int64_t)get64(bytes + 32);
    d->size_bytes = (int64_t)get64(bytes + 40);
    d->place = (int64_t)get64(bytes + 48);
    d->count_is_low = false;
    *end = place;
    return 0;
}

static int take_end(const elm_stream *stream, int64_t end, const uint8_t *bytes, directory *d,
                    char cause[ELM_STREAM_CAUSE])
{
    if (get16(bytes + 4) != 0 && get16(bytes + 4) != 0xffff)
        return fail(cause, "it is a part of a split zip: join the parts first (zip -s 0)");
    *d = (directory){.count = get16(bytes + 10),
                     .size_bytes = get32(bytes + 12),
                     .place = get32(bytes + 16),
                     .count_is_low = true};
    if (take_end64(stream, &end, d, cause) != 0)
        return -1;
    if (d->size_bytes < 0 || d->place < 0 || d->size_bytes > end || d->place > end - d->size_bytes)
        return fail(cause, damaged);
    d->shift = end - d->size_bytes - d->place;
    return 0;
}

/* The end record is the last thing there, but for its own comment and zeros. */
static int find_end(const elm_stream *stream, directory *d, char cause[ELM_STREAM_CAUSE])
{
    const int64_t size = elm_stream_size(stream),
                  tail = size < END_BYTES + COMMENT_MAX ? size : END_BYTES + COMMENT_MAX;
    uint8_t *bytes = elm_alloc((size_t)tail + 1, 1, NULL);
    int status = fail(cause, "it has no directory at its end: truncated, or no zip");
    if (bytes != NULL && elm_stream_read_at(stream, size - tail, bytes, (size_t)tail))
        for (int64_t at = tail - END_BYTES; at >= 0; at--) {
            if (get32(bytes + at) != END)
                continue;
            int64_t rest = at + END_BYTES + get16(bytes + at + 20);
            while (rest < tail && bytes[rest] == 0)
                rest++;
            status = rest == tail ? take_end(stream, size - tail + at, bytes + at, d, cause)
                                  : fail(cause, "something follows its end");
            break;
        }
    elm_free(bytes);
    return status;
}

/* An extra field, or NULL. */
static const uint8_t *find_extra(const uint8_t *extra, size_t size_bytes, unsigned kind,
                                 size_t *length)
{
    while (size_bytes >= 4) {
        *length = get16(extra + 2);
        if (*length > size_bytes - 4)
            return NULL;
        if (get16(extra) == kind)
            return extra + 4;
        extra += 4 + *length;
        size_bytes -= 4 + *length;
    }
    return NULL;
}

/* The name in UTF-8 that stands beside the other, if it still belongs to it. */
static const uint8_t *unicode_name(const uint8_t *extra, size_t extra_bytes, const uint8_t *name,
                                   size_t name_bytes, size_t *length)
{
    const uint8_t *found = find_extra(extra, extra_bytes, EXTRA_UNICODE_PATH, length);
    if (found == NULL || *length <= UNICODE_HEAD || found[0] != 1 ||
        get32(found + 1) != crc32(0, name, (uInt)name_bytes))
        return NULL;
    *length -= UNICODE_HEAD;
    return found + UNICODE_HEAD;
}

static void note_problem(elm_zip_item *item, unsigned flags, unsigned method)
{
    enum { DEFLATE64 = 9, IMPLODE = 6, AES = 99 };
    if ((flags & ENCRYPTED) != 0 || method == AES)
        item->problem = "it is encrypted: unpack it with its password and give the folder";
    else if (method == DEFLATE64)
        item->problem = "it is compressed with Deflate64 (Windows Explorer does so above 2 GB): "
                        "unpack it, with 7z, and give the folder";
    else if (method > 0 && method <= IMPLODE)
        item->problem =
            "it is compressed with a method of the 1980s: unpack it and give the folder";
}

/* The header before the file says the same. */
static int compare_local(const elm_stream *stream, const elm_zip_item *item, const uint8_t *central,
                         char cause[ELM_STREAM_CAUSE])
{
    uint8_t local[LOCAL_BYTES];
    const size_t name_bytes = get16(central + 28);
    if (!elm_stream_read_at(stream, item->offset, local, sizeof local) || get32(local) != LOCAL ||
        get16(local + 26) != name_bytes || get16(local + 8) != get16(central + 10))
        return fail(cause, damaged);
    const size_t extra_bytes = get16(local + 28), rest = name_bytes + extra_bytes;
    uint8_t *bytes = elm_alloc(rest + 1, 1, NULL);
    int status = -1;
    if (bytes != NULL && elm_stream_read_at(stream, item->offset + LOCAL_BYTES, bytes, rest) &&
        memcmp(bytes, central + CENTRAL_BYTES, name_bytes) == 0) {
        size_t length = 0;
        const uint8_t *name =
            unicode_name(bytes + name_bytes, extra_bytes, bytes, name_bytes, &length);
        status =
            name == NULL || (strlen(item->name) == length && memcmp(item->name, name, length) == 0)
                ? 0
                : -1;
    }
    elm_free(bytes);
    return status == 0 ? 0 : fail(cause, damaged);
}

/* Windows' tools of old wrote backslashes. */
static void turn_backslashes(char *name, unsigned system)
{
    if ((system == SYSTEM_DOS || system == SYSTEM_NTFS || system == SYSTEM_VFAT) &&
        strchr(name, '/') == NULL)
        for (char *at = name; (at = strchr(at, '\\')) != NULL;)
            *at = '/';
}

static char *take_name(elm_zip_item *item, const uint8_t *central, char *text)
{
    const size_t name_bytes = get16(central + 28), extra_bytes = get16(central + 30);
    const uint8_t *name = central + CENTRAL_BYTES;
    size_t length = name_bytes;
    const uint8_t *unicode =
        unicode_name(name + name_bytes, extra_bytes, name, name_bytes, &length);
    if (unicode == NULL)
        length = name_bytes;
    memcpy(text, unicode != NULL ? unicode : name, length);
    text[length] = '\0';
    item->name = text;
    return text + length + 1;
}

static int take_item(elm_zip_item *item, const elm_stream *stream, const directory *d,
                     const uint8_t *central, char **text, char cause[ELM_STREAM_CAUSE])
{
    size_t length = 0;
    const size_t name_bytes = get16(central + 28);
    const uint8_t *extra =
        find_extra(central + CENTRAL_BYTES + name_bytes, get16(central + 30), EXTRA_ZIP64, &length);
    /* size, packed size, offset */
    uint64_t values[3] = {get32(central + 24), get32(central + 20), get32(central + 42)};
    for (int i = 0; i < 3; i++)
        if (values[i] == 0xffffffffu && extra != NULL && length >= 8) {
            values[i] = get64(extra);
            extra += 8;
            length -= 8;
        }
    if (values[2] > (uint64_t)d->place || values[1] > (uint64_t)d->place)
        return fail(cause, damaged);
    item->offset = (int64_t)values[2] + d->shift;
    item->packed_bytes = (int64_t)values[1];
    item->size_bytes = (int64_t)values[0];
    char *name = *text;
    *text = take_name(item, central, name);
    if (strlen(name) != (size_t)(*text - name) - 1)
        return fail(cause, "a zero byte in a name");
    note_problem(item, get16(central + 8), get16(central + 10));
    if (compare_local(stream, item, central, cause) != 0)
        return -1;
    turn_backslashes(name, central[5]);
    return 0;
}

static int by_offset(const void *a, const void *b)
{
    const elm_zip_item *left = a, *right = b;
    return (left->offset > right->offset) - (left->offset < right->offset);
}

/* No two may share bytes: such archives are made to harm. */
static int check_places(const elm_zip_index *index, const directory *d,
                        char cause[ELM_STREAM_CAUSE])
{
    for (int64_t i = 0; i < index->count; i++) {
        const elm_zip_item *item = &index->items[i];
        const int64_t end = i + 1 < index->count ? item[1].offset : d->place + d->shift;
        if (item->offset + LOCAL_BYTES + item->packed_bytes > end)
            return fail(cause, "its files overlap");
    }
    return 0;
}

static int parse(elm_zip_index *index, const elm_stream *stream, const directory *d,
                 const uint8_t *bytes, char cause[ELM_STREAM_CAUSE])
{
    const uint8_t *at = bytes, *end = bytes + d->size_bytes;
    char *text = index->texts;
    while (end - at >= CENTRAL_BYTES && get32(at) == CENTRAL) {
        const int64_t length =
            CENTRAL_BYTES + (int64_t)get16(at + 28) + get16(at + 30) + get16(at + 32);
        if (length > end - at)
            return fail(cause, damaged);
        if (take_item(&index->items[index->count++], stream, d, at, &text, cause) != 0)
            return -1;
        at += length;
    }
    if (end - at >= 6 && get32(at) == SIGNATURE)
        at += 6 + get16(at + 4);
    const int64_t count = d->count_is_low ? index->count & 0xffff : index->count;
    if (at != end || count != d->count)
        return fail(cause, damaged);
    qsort(index->items, (size_t)index->count, sizeof *index->items, by_offset);
    return check_places(index, d, cause);
}

int elm_zip_index_read(elm_zip_index *index, const elm_stream *stream, char cause[ELM_STREAM_CAUSE])
{
    directory d = {0};
    *index = (elm_zip_index){0};
    if (find_end(stream, &d, cause) != 0)
        return -1;
    if (d.size_bytes == 0)
        return fail(cause, "there is no file in it");
    const size_t bytes_max = (size_t)d.size_bytes, items_max = bytes_max / CENTRAL_BYTES + 1;
    uint8_t *bytes = elm_alloc(bytes_max + 1, 1, NULL);
    index->items = elm_alloc(items_max, sizeof *index->items, NULL);
    /* names and their ends are shorter than what holds them */
    index->texts = elm_alloc(bytes_max + 1, 1, NULL);
    int status = fail(cause, "no memory for its directory, or it cannot be read");
    if (bytes != NULL && index->items != NULL && index->texts != NULL &&
        elm_stream_read_at(stream, d.place + d.shift, bytes, (size_t)d.size_bytes))
        status = parse(index, stream, &d, bytes, cause);
    else if (bytes != NULL && index->items != NULL && index->texts != NULL)
        fail(cause, damaged);
    elm_free(bytes);
    if (status != 0)
        elm_zip_index_free(index);
    return status;
}

void elm_zip_index_free(elm_zip_index *index)
{
    elm_free(index->items);
    elm_free(index->texts);
    *index = (elm_zip_index){0};
}
