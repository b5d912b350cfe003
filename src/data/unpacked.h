/* Unpacked: the decompressed bytes of a compressed archive, read to their end and compared with their checksum. A container's reader stops
 * where the container ends, before the compressor's checksum; and libarchive 3.6 never compares gzip's. Either way a flipped bit in a
 * picture would pass unseen. */
#ifndef ELMPI_DATA_UNPACKED_H
#define ELMPI_DATA_UNPACKED_H

#include <archive.h>
#include <stdbool.h>
#include <stdint.h>

#include "data/archive.h"

typedef struct elm_unpacked elm_unpacked;

/** Makes `reader` decompress what elmpi reads: only what libarchive does itself. For other kinds it would start external programs, on bytes
 * that nobody has checked. */
void elm_unpacked_support(struct archive *reader);

/** Makes `reader` read the decompressed bytes of a place. *unpacked is NULL, and `reader` untouched, where the place is not compressed:
 *  such containers (zip, 7-Zip) bring checksums of their own and want to seek.
 *  Owns:   the caller destroys after `reader` is freed; borrows place
 *  Errors: -1; the text is archive_error_string(reader) */
int elm_unpacked_open(elm_unpacked **unpacked, const elm_archive_place *place, struct archive *reader);
/** What has gone wrong in decompressing, or NULL. The reader's own text may say less: it takes what cannot be read for an unknown format.
 */
const char *elm_unpacked_cause(const elm_unpacked *unpacked);
/** Compressed bytes read so far. */
int64_t elm_unpacked_position(const elm_unpacked *unpacked);
void elm_unpacked_destroy(elm_unpacked *unpacked);

/** Whether so many bytes out of so few are a decompression bomb, and what to say of it. */
bool elm_unpacked_is_bomb(int64_t unpacked_bytes, int64_t packed_bytes);
extern const char elm_unpacked_bomb[];

/** Reads whatever `reader` left unread, so that every checksum is compared.
 *  Errors: -1; the text is archive_error_string(reader) */
int elm_unpacked_finish(elm_unpacked *unpacked, struct archive *reader);

#endif
