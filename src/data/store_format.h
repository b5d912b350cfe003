/* Store format: what the store's reader and writer have in common. */
#ifndef ELMPI_DATA_STORE_FORMAT_H
#define ELMPI_DATA_STORE_FORMAT_H

#include <hdf5.h>
#include <stdio.h>
#include <unistd.h>

#define STORE_FORMAT "elmpi-store"

enum {
    STORE_VERSION = 1,
    STORE_VERSION_INDEX = 2 /* pictures in shards */,
    STORE_SPLITS = 3,
    STORE_NAME_BYTES = 64,
    STORE_CLASS_BYTES = 256,      /* of a class name, its end included, where none is longer */
    STORE_CLASS_BYTES_MAX = 4095, /* of the longest */
    STORE_PATH_BYTES = 4096
};

extern const char *const store_split_names[STORE_SPLITS]; /* train first */

/** Place of a split's name in the list, or -1. */
int store_split_index(const char *split);

/** How both open the file: metadata with checksums, no file locks (parallel file systems often lack them; a store is complete before it
 *  gets its name). Owns: the caller closes with H5Pclose. */
hid_t store_file_access(void);

#endif
