/* HDF5 objects: groups, attributes and arrays of files that elmpi writes. Equal content gives equal
 * bytes: nothing has a time stamp. Texts are UTF-8 of fixed length, padded with zeros: HDF5 keeps
 * texts of variable length in a heap without checksums, and believes what it reads there. Every
 * function returns 0 or an id, -1 on failure, without a text: the caller knows what it writes. */
#ifndef ELMPI_HDF5_OBJECTS_H
#define ELMPI_HDF5_OBJECTS_H

#include <hdf5.h>
#include <stddef.h>

enum { ELM_H5_SCALAR = 0, ELM_H5_ROW_DIMENSIONS_MAX = 4 };

/** Properties of a kind of object (H5P_FILE_CREATE, H5P_GROUP_CREATE, ...) without time stamps.
 *  Owns:   the caller closes with H5Pclose */
hid_t elm_h5_timeless(hid_t kind);

/** A group.
 *  Owns:   the caller closes with H5Gclose */
hid_t elm_h5_create_group(hid_t file, const char *name);

/** A text type of exactly size_bytes; 0 counts as 1.
 *  Owns:   the caller closes with H5Tclose */
hid_t elm_h5_text_type(size_t size_bytes);

/** An attribute of `count` values, or of one that is no list (ELM_H5_SCALAR). */
int elm_h5_write_attribute(hid_t object, const char *name, hid_t type, int count,
                           const void *value);
/** A text attribute; an empty one has a byte, the final zero. */
int elm_h5_write_text(hid_t object, const char *name, const char *text);

/** A small array of one dimension, written whole, without checksums. */
int elm_h5_write_list(hid_t file, const char *path, hid_t type, int count, const void *values);

/** Properties of an array that is written whole: chunks of whole rows, about chunk_bytes large,
 * with a checksum each. HDF5 has none for scalars and empty arrays.
 *  Shape:  shape [dimensions], at most H5S_MAX_RANK; 0 dimensions: a scalar
 *  Owns:   the caller closes with H5Pclose */
hid_t elm_h5_layout(int dimensions, const hsize_t *shape, size_t element_bytes, size_t chunk_bytes);

/** An empty array [0, row_shape...] with checksums that grows by its first dimension.
 *  Shape:  at most ELM_H5_ROW_DIMENSIONS_MAX dimensions; row_shape [dimensions - 1]
 *  Owns:   the caller closes with H5Dclose */
hid_t elm_h5_create_rows(hid_t group, const char *name, hid_t type, int chunk_rows, int dimensions,
                         const hsize_t *row_shape);
/** Appends `count` rows to an array that has `before`. */
int elm_h5_append_rows(hid_t array, hid_t type, hsize_t before, hsize_t count, const void *values);

#endif
