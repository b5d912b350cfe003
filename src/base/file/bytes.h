/* Bytes: a block of memory that grows at its end, for files that are built in memory. */
#ifndef ELMPI_BASE_FILE_BYTES_H
#define ELMPI_BASE_FILE_BYTES_H

#include <stdbool.h>
#include <stddef.h>

/** All zero is an empty block. A failure sticks: whoever builds a file asks once, at its end. */
typedef struct elm_bytes {
    unsigned char *data;
    size_t size, capacity;
    bool failed; /* memory ran out: later additions have no effect */
} elm_bytes;

/** Appends `size_bytes` bytes: those of `data`, or zeros where it is NULL. */
void elm_bytes_add(elm_bytes *bytes, const void *data, size_t size_bytes);
/** Puts bytes in at `place`, before what stands there. */
void elm_bytes_insert(elm_bytes *bytes, size_t place, const void *data, size_t size_bytes);
void elm_bytes_free(elm_bytes *bytes);

#endif
