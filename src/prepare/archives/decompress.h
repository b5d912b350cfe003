/* Decompress: the decompressed bytes of a compressed archive, read to their end and compared with
 * their check sums. A container's reader stops where the container ends, before the compressor's
 * check sum; libarchive 3.6 never compares gzip's, and takes what follows the end of a member
 * for its end. Either way a flipped bit would pass unseen. */
#ifndef ELMPI_PREPARE_ARCHIVES_DECOMPRESS_H
#define ELMPI_PREPARE_ARCHIVES_DECOMPRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "prepare/archives/stream.h"

/** Where a stream's bytes are compressed (gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress),
 * replaces it by the stream of what they stand for, which owns it: 1; else 0. Other decompressors
 * are not used: libarchive would start external programs for them, on bytes that have not been
 * checked. Every member's check sum and length are compared, and what follows the last one must be
 * zeros.
 *  Errors: -1: memory; the stream is as it was */
int elm_decompressor_wrap(elm_stream **stream);

/** Whether so many bytes out of so few are a decompression bomb, and what to say of it. */
bool elm_decompressor_is_bomb(int64_t unpacked_bytes, int64_t packed_bytes);
extern const char elm_decompressor_bomb[];

#endif
