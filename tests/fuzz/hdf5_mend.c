#include <string.h>

#include "hdf5_forge.h"

/* The library's own checksum of metadata; exported, though no header of it is installed. */
uint32_t H5_checksum_metadata(const void *bytes, size_t size_bytes, uint32_t start);

static void put_checksum(uint8_t *bytes, size_t from, size_t size_bytes)
{
    const uint32_t sum = H5_checksum_metadata(bytes + from, size_bytes, 0);
    for (int i = 0; i < 4; i++)
        bytes[from + size_bytes + (size_t)i] = (uint8_t)(sum >> 8 * i);
}

/* "OHDR", version, flags, four times (flag 32), two limits (flag 16), and the size of the
 * messages in 1, 2, 4 or 8 bytes. */
static void mend_object_header(uint8_t *bytes, size_t at, size_t size_bytes)
{
    enum { FIXED = 6, TIMES = 16, LIMITS = 4, SUM = 4 };
    if (size_bytes - at < FIXED)
        return;
    const unsigned flags = bytes[at + 5];
    const size_t width = (size_t)1 << (flags & 3),
                 head = FIXED + (flags & 32 ? TIMES : 0) + (flags & 16 ? LIMITS : 0);
    if (size_bytes - at < head + width)
        return;
    uint64_t length = 0;
    for (size_t i = 0; i < width; i++)
        length |= (uint64_t)bytes[at + head + i] << 8 * i;
    const size_t left = size_bytes - at - head - width;
    if (left >= SUM && length <= left - SUM)
        put_checksum(bytes, at, head + width + (size_t)length);
}

void hdf5_mend(uint8_t *bytes, size_t size_bytes)
{
    enum { SUPERBLOCK = 44, VERSION = 8, MARK = 4 };
    if (size_bytes < SUPERBLOCK + 4)
        return;
    if (bytes[VERSION] >= 2)
        put_checksum(bytes, 0, SUPERBLOCK);
    for (size_t at = SUPERBLOCK + 4; size_bytes - at >= MARK; at++)
        if (memcmp(bytes + at, "OHDR", MARK) == 0)
            mend_object_header(bytes, at, size_bytes);
}
