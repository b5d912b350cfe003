/* HDF5 forge: files that lie. HDF5's metadata bear checksums, so flipped bytes seldom get past
 * the library; here the library itself is told to write types, shapes, storage and links that no
 * elmpi would. And where bytes are flipped all the same, the checksums are put right. */
#ifndef ELMPI_TESTS_FUZZ_HDF5_FORGE_H
#define ELMPI_TESTS_FUZZ_HDF5_FORGE_H

#include "input.h"

/** Names in a file that are worth attacking; each list ends with NULL. */
typedef struct hdf5_names {
    const char *const *objects;    /* data sets and groups */
    const char *const *attributes; /* "name" of the root, or "group@name" */
} hdf5_names;

/** Changes the file at `path` as the script says: each step takes some bytes. */
void hdf5_forge(const char *path, const hdf5_names *names, fuzz_bytes script);

/** Puts the checksums of the superblock and of all object headers right, in the bytes of a file
 * that begin with its superblock. */
void hdf5_mend(uint8_t *bytes, size_t size_bytes);

#endif
