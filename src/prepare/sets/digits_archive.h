/* The archive of handwritten digits (src/prepare/sets/digits/optdigits.tar.gz), put into the
 * library when it is built. */
#ifndef ELMPI_PREPARE_SETS_DIGITS_ARCHIVE_H
#define ELMPI_PREPARE_SETS_DIGITS_ARCHIVE_H

#include <stddef.h>

extern const unsigned char elm_digits_archive[];
extern const size_t elm_digits_archive_bytes;

#endif
