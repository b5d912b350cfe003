/* Reader: the parts of a checkpoint's file, read with distrust, for checkpoint_read.c. */
#ifndef ELMPI_CHECKPOINT_READING_READER_H
#define ELMPI_CHECKPOINT_READING_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "checkpoint/format.h"
#include "elmpi/checkpoint.h"

/* The file under way. */
typedef struct reader {
    const char *path;
    hid_t file;
    uint64_t bytes_left; /* of the file, not yet claimed by an array */
    elm_checkpoint *made;
    const char *group; /* being visited */
    int place;         /* of the next entry; the first visit only counts */
    bool counting;
    elm_error *err;
} reader;

/** Sets the error for something that does not have its form; returns -1. */
int reader_refuse(const reader *r, const char *what);

bool reader_has(const reader *r, const char *path);

/** Opens an array and takes its shape. Returns the data set, -1 when absent or not honest. */
hid_t reader_open_array(reader *r, const char *path, H5T_class_t kind, int *dimensions,
                        int64_t *shape, size_t *element_bytes);

/** A whole array of at most one dimension as `mem_type`.
 *  Owns:   *values to be freed with elm_free. */
int reader_read_list(reader *r, const char *path, H5T_class_t kind, hid_t mem_type, int64_t *count,
                     void **values);

/** Texts of fixed length, each ended by a zero: count of them, `size` bytes apart.
 *  Owns:   the returned block (elm_free), NULL on failure. */
char *reader_read_texts(reader *r, const char *path, int dimensions_wanted, int64_t *count,
                        size_t *size);

int reader_read_number(const reader *r, const char *name, hid_t mem_type, void *value);

/** An attribute's text, NULL on failure.
 *  Owns:   the caller (elm_free). */
char *reader_read_text(const reader *r, const char *name);

/** Whole groups of the file, into r->made. */
int reader_read_input(reader *r);
int reader_read_tensors(reader *r);
int reader_read_history(reader *r);
int reader_read_progress(reader *r);

#endif
