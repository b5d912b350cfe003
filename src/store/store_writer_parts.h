/* Store writer parts: what lies behind a store that is being written, for the files that share it:
 * store_writer.c (the file, its head and labels), store_rows_writer.c (rows of one size) and
 * store_index_writer.c (images in shards). */
#ifndef ELMPI_STORE_STORE_WRITER_PARTS_H
#define ELMPI_STORE_STORE_WRITER_PARTS_H

#include <hdf5.h>

#include "elmpi/output.h"
#include "store/format.h"

/** One split on its way to the file: rows wait here until they fill a chunk. */
typedef struct writer_split {
    /* data sets; -1: nothing appended yet. An index has no rows but */
    hid_t labels, rows;
    hid_t columns[STORE_COLUMNS]; /* these */
    hid_t names;                  /* and this */
    hsize_t written;              /* rows in the file */
    int waiting;                  /* rows here */
    int32_t *label;               /* [chunk_rows] */
    uint8_t *row;                 /* [chunk_rows][row_bytes] */
    elm_store_place *place;       /* [chunk_rows] */
    char *name;                   /* [chunk_rows][name_bytes] */
    int64_t *column;              /* [chunk_rows], of one column on its way */
} writer_split;

/** What differs between kinds of stores: rows of one size, and an index. */
typedef struct store_writer_kind {
    /** The arrays of a new split, besides its labels. */
    int (*start_split)(elm_store_writer *writer, writer_split *split, hid_t group, elm_error *err);
    /** Writes the rows that wait, without their labels. */
    int (*flush)(elm_store_writer *writer, writer_split *split);
    /** -1 where closing an array failed, which may be what writes it. */
    int (*close_split)(writer_split *split);
} store_writer_kind;

struct elm_store_writer {
    const store_writer_kind *kind;
    char path[STORE_PATH_BYTES];
    elm_output *output;
    hid_t file;
    elm_store_info info;
    size_t row_bytes;
    int chunk_rows;
    int64_t *train_count; /* [classes] */
    writer_split splits[STORE_SPLITS];
    int shard_count;      /* of an index, */
    int64_t *shard_bytes; /* [shard_count] */
    size_t name_bytes;
};

/** Says why the store could not be written: an errno, or 0 for HDF5's own reasons. Returns -1. */
int store_write_failed(const elm_store_writer *writer, int cause, elm_error *err);
/** Takes room on the disk for the next bytes before HDF5 writes them. */
int store_reserve(elm_store_writer *writer, size_t size_bytes, elm_error *err);
/** The split that gets the next row, with its label put there; made where it is new. NULL: err
 * says why. */
writer_split *store_begin_row(elm_store_writer *writer, const char *split, int32_t label,
                              elm_error *err);
/** Counts that row, and writes out all that wait where they fill a chunk. */
int store_end_row(elm_store_writer *writer, writer_split *split, elm_error *err);
/** What elm_store_writer_create does; chunks are laid out for rows of row_bytes. */
int store_writer_start(elm_store_writer **writer, const store_writer_kind *kind, const char *path,
                       const elm_store_info *info, const char *const *class_names, size_t row_bytes,
                       elm_error *err);

#endif
