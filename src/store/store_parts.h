/* Store parts: what lies behind an open store and its writer, for the files that share them:
 * store.c and store_writer.c (the file, its head, labels, rows of one size) and store_index.c
 * and store_index_writer.c (pictures in shards). */
#ifndef ELMPI_STORE_STORE_PARTS_H
#define ELMPI_STORE_STORE_PARTS_H

#include "elmpi/output.h"
#include "elmpi/store.h"
#include "hdf5/read.h"
#include "store/format.h"

enum {
    STORE_COLUMNS = 6,             /* of an index, besides labels and name */
    STORE_SHARD_PATH_BYTES = 1024, /* longest path of a shard */
    STORE_SHARDS_MAX = 1 << 16,
    STORE_PICTURE_BYTES_MAX = 1 << 28, /* of one picture's file */
};

/** A column of an index: its name in the file and its type there. Values pass through int64. */
typedef struct store_column {
    const char *name;
    int64_t (*get)(const elm_store_place *place);
    void (*set)(elm_store_place *place, int64_t value);
    int64_t max;   /* largest value that fits */
    bool optional; /* stores of earlier versions lack it */
} store_column;
extern const store_column store_columns[STORE_COLUMNS];

/** One split of an open store. */
typedef struct store_split {
    int64_t count; /* 0: absent */
    int32_t *labels;
    elm_h5_array rows;       /* of one size; not of an index */
    elm_store_place *places; /* [count], of an index */
    elm_h5_array names;      /* of an index */
} store_split;

struct elm_store {
    char path[STORE_PATH_BYTES];
    uint64_t file_bytes;
    hid_t file;
    elm_store_info info;
    char *class_names; /* [classes][class_bytes] */
    size_t class_bytes;
    store_split splits[STORE_SPLITS];
    int shard_count;
    char (*shard_paths)[STORE_SHARD_PATH_BYTES];
    int64_t *shard_bytes;
};

/** Says that the store is broken, at `where` in it. Returns -1. */
int store_broken(const elm_store *store, const char *where, const char *what, elm_error *err);

/** A split that is there, or NULL with the reason in err. */
store_split *store_find_split(elm_store *store, const char *name, elm_error *err);
/** Errors: a member that is not below `count` */
int store_check_members(const elm_store *store, const char *split, int64_t count,
                        const int64_t *members, int64_t member_count, elm_error *err);

/** Reads /shards of an index. */
int store_index_open_shards(elm_store *store, elm_error *err);
/** Reads a split's columns and checks every value: shards that exist, bytes that lie within
 * them. */
int store_index_open_split(elm_store *store, int index, elm_error *err);

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

struct elm_store_writer {
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
int store_writer_start(elm_store_writer **writer, const char *path, const elm_store_info *info,
                       const char *const *class_names, size_t row_bytes, elm_error *err);

/** Columns and names of a new split. */
int store_index_start_split(elm_store_writer *writer, writer_split *split, hid_t group,
                            elm_error *err);
/** Writes the columns of the rows that wait. */
int store_index_flush(elm_store_writer *writer, writer_split *split);
/** -1 where closing a column failed, which may be what writes it. */
int store_index_close_split(writer_split *split);

#endif
