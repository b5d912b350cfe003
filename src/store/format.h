/* Store format: what the store's reader and writer have in common. */
#ifndef ELMPI_STORE_FORMAT_H
#define ELMPI_STORE_FORMAT_H

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

#endif
