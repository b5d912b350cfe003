/* HDF5 read: looks into a file that may be broken or hostile. Nothing is followed out of the
 * file, and no size is believed before it is compared with the file's own. Every function
 * returns 0 or -1 without a text: the caller knows what it was looking for. */
#ifndef ELMPI_HDF5_READ_H
#define ELMPI_HDF5_READ_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

enum { ELM_H5_DIMENSIONS_MAX = 4 };

/** A data set and its shape. */
typedef struct elm_h5_array {
    hid_t id;
    H5T_class_t kind; /* H5T_INTEGER, H5T_FLOAT, H5T_STRING, ... */
    size_t element_bytes;
    bool is_signed;
    int dimensions;
    hsize_t shape[ELM_H5_DIMENSIONS_MAX];
    hsize_t chunk_rows; /* 0: not chunked */
    hsize_t chunk[ELM_H5_DIMENSIONS_MAX];
    bool chunked, compressed;
    bool variable; /* texts of variable length */
} elm_h5_array;

/** Turns off HDF5's own printing: errors reach the user in elmpi's words. */
void elm_h5_quiet(void);

/** Properties for opening or creating a file: metadata with checksums (format of HDF5 1.10) and no
 * file locks, which parallel file systems often lack; files get their names when they are complete,
 * so readers need none.
 *  Owns:   the caller closes with H5Pclose */
hid_t elm_h5_access(void);

/** True when `path` ("train/images") exists with nothing but hard links on the way: soft and
 * external links lead elsewhere. */
bool elm_h5_exists(hid_t file, const char *path);

/** Whether a type is a number as computers have them. HDF5 also knows whole numbers of a megabyte
 * each, and floats whose exponent lies anywhere; converting such a whole number to a float, 1.10
 * overruns its stack. */
bool elm_h5_is_number(hid_t type);

enum { ELM_H5_CHECKSUM = 1, ELM_H5_SHUFFLE = 2, ELM_H5_DEFLATE = 4 };
/** The filters of an array, a sum of the above (ELM_H5_CHECKSUM is fletcher32); -1 where there is
 * any other: for one that it does not know, HDF5 would load a plug-in. */
int elm_h5_filters(hid_t properties);

/** Whether an array's bytes lie in its own file: neither external nor virtual storage. */
bool elm_h5_is_inside(hid_t properties);

/** Opens a data set whose bytes all lie in this file.
 *  Shape:  at most ELM_H5_DIMENSIONS_MAX dimensions, none of them 0
 *  Owns:   the caller closes with elm_h5_close
 *  Memory: compressed chunks are inflated once, 64 KiB at a time, so that none can come out larger
 *          than its header says
 *  Errors: absent, not a data set, neither numbers nor texts, filters other than deflate,
 *          shuffle and fletcher32, external or virtual storage, or more bytes than a file of
 *          file_bytes can hold */
int elm_h5_open(elm_h5_array *array, hid_t file, const char *path, uint64_t file_bytes);
void elm_h5_close(elm_h5_array *array);

/** Reads a root attribute of exactly `count` numbers, converted to mem_type. */
int elm_h5_numbers(hid_t file, const char *name, hid_t mem_type, int count, void *values);

/** Reads a root attribute's text, of fixed or variable length; one that does not fit is an
 * error. */
int elm_h5_text(hid_t file, const char *name, char *text, size_t size_bytes);

/** Reads a one-dimensional data set of texts into `texts` [shape[0]][size_bytes]; one that does
 * not fit is cut. */
int elm_h5_texts(const elm_h5_array *array, char *texts, size_t size_bytes);

/** Reads one text of a one-dimensional data set of texts of fixed length, cut at size_bytes. */
int elm_h5_text_at(const elm_h5_array *array, hsize_t row, char *text, size_t size_bytes);

/** Reads rows first .. first + count - 1 of all dimensions behind the first, converted to
 * mem_type. */
int elm_h5_rows(const elm_h5_array *array, hid_t mem_type, hsize_t first, hsize_t count,
                void *values);

#endif
