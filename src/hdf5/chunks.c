#include "hdf5/chunks.h"

#include <string.h>
#include <zlib.h>

#include "elmpi/memory.h"

enum {
    CHECKSUM_BYTES = 4,
    PIECE_BYTES = 1 << 16,
    STORED_MIN = 8 /* a chunk's entry in an index, at least */
};

/* The filters of an array: where deflate stands, and what fletcher32 adds before and behind it. */
typedef struct pipeline {
    int deflate;           /* position, -1: none */
    uint64_t inner, outer; /* checksum bytes that deflate sees, and that it does not */
    bool unusual;          /* deflate twice */
} pipeline;

static pipeline pipeline_of(hid_t properties)
{
    pipeline p = {.deflate = -1};
    const int count = H5Pget_nfilters(properties);
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        const H5Z_filter_t filter =
            H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0, NULL, &config);
        if (filter == H5Z_FILTER_DEFLATE) {
            p.unusual |= p.deflate >= 0;
            p.deflate = i;
        } else if (filter == H5Z_FILTER_FLETCHER32) {
            *(p.deflate >= 0 ? &p.outer : &p.inner) += CHECKSUM_BYTES;
        }
    }
    return p;
}

static uint64_t bytes_of_chunk(const elm_h5_array *array)
{
    uint64_t bytes = array->element_bytes;
    for (int i = 0; i < array->dimensions; i++)
        if (__builtin_mul_overflow(bytes, array->chunk[i], &bytes) ||
            bytes > ELM_H5_CHUNK_BYTES_MAX)
            return 0;
    return bytes;
}

int elm_h5_chunks_read(elm_h5_array *array, hid_t properties, uint64_t file_bytes)
{
    if (H5Pget_chunk(properties, array->dimensions, array->chunk) != array->dimensions ||
        bytes_of_chunk(array) == 0)
        return -1;
    uint64_t count = 1;
    for (int i = 0; i < array->dimensions; i++)
        if (__builtin_mul_overflow(count, (array->shape[i] + array->chunk[i] - 1) / array->chunk[i],
                                   &count) ||
            count > file_bytes / STORED_MIN + 1)
            return -1;
    array->chunk_rows = array->chunk[0];
    return 0;
}

/* Whether a stored chunk inflates to exactly that many bytes; what follows the stream is
 * fletcher32's. */
static bool inflates_to(uint8_t *stored, size_t stored_bytes, uint64_t wanted, uint8_t *piece)
{
    z_stream stream = {.next_in = stored, .avail_in = (uInt)stored_bytes};
    uint64_t made = 0;
    int status = Z_OK;
    if (inflateInit(&stream) != Z_OK)
        return false;
    while (status == Z_OK && made <= wanted) {
        stream.next_out = piece;
        stream.avail_out = PIECE_BYTES;
        status = inflate(&stream, Z_NO_FLUSH);
        made += PIECE_BYTES - stream.avail_out;
    }
    inflateEnd(&stream);
    return status == Z_STREAM_END && made == wanted;
}

static int check_chunk(const elm_h5_array *array, const pipeline *p, const hsize_t *offset,
                       uint8_t *stored, uint8_t *piece)
{
    const uint64_t bytes = bytes_of_chunk(array), plain = bytes + p->inner + p->outer,
                   most = plain + plain / 1000 + 64;
    hsize_t size = 0;
    if (H5Dget_chunk_storage_size(array->id, offset, &size) < 0 || size == 0 || size > most)
        return -1;
    if (p->deflate < 0)
        return size == plain ? 0 : -1;
    uint32_t skipped = 0;
    if (H5Dread_chunk(array->id, H5P_DEFAULT, offset, &skipped, stored) < 0)
        return -1;
    /* a filter that was left out of this chunk: HDF5 does it where deflate gains nothing */
    if (skipped != 0)
        return size <= plain ? 0 : -1;
    return inflates_to(stored, (size_t)size, bytes + p->inner, piece) ? 0 : -1;
}

/* The next chunk's place, row by row. False behind the last. */
static bool next_chunk(const elm_h5_array *array, hsize_t *offset)
{
    for (int i = array->dimensions - 1; i >= 0; i--) {
        offset[i] += array->chunk[i];
        if (offset[i] < array->shape[i])
            return true;
        offset[i] = 0;
    }
    return false;
}

int elm_h5_chunks_check(const elm_h5_array *array, hid_t properties)
{
    const pipeline p = pipeline_of(properties);
    const uint64_t bytes = bytes_of_chunk(array);
    hsize_t offset[ELM_H5_DIMENSIONS_MAX] = {0};
    uint8_t *stored = elm_alloc((size_t)(bytes + bytes / 1000 + 128), 1, NULL),
            *piece = elm_alloc(PIECE_BYTES, 1, NULL);
    int status = stored == NULL || piece == NULL || p.unusual ? -1 : 0;
    bool more = true;
    while (status == 0 && more) {
        status = check_chunk(array, &p, offset, stored, piece);
        more = next_chunk(array, offset);
    }
    elm_free(stored);
    elm_free(piece);
    return status;
}
