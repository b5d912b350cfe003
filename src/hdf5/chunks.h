/* HDF5 chunks: whether the pieces of a chunked array hold what its header says, before HDF5
 * takes memory for them. */
#ifndef ELMPI_HDF5_CHUNKS_H
#define ELMPI_HDF5_CHUNKS_H

#include "hdf5/read.h"

enum { ELM_H5_CHUNK_BYTES_MAX = 1 << 26 };

/** Takes the shape of an array's chunks. -1 where one is larger than 64 MiB, or there are more
 * than a file of file_bytes can hold. */
int elm_h5_chunks_read(elm_h5_array *array, hid_t properties, uint64_t file_bytes);

/** Every chunk is there, and of the size that shape and filters give; a compressed one inflates to
 * exactly that.
 *  Memory: one stored chunk (at most 65 MiB) and 64 KiB */
int elm_h5_chunks_check(const elm_h5_array *array, hid_t properties);

#endif
