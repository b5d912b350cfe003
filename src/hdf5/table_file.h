/* Table file: arrays and numbers written to an HDF5 file, complete or not at all. */
#ifndef ELMPI_HDF5_TABLE_FILE_H
#define ELMPI_HDF5_TABLE_FILE_H

#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_table_file elm_table_file;
typedef enum elm_table_type {
    ELM_TABLE_FLOAT,
    ELM_TABLE_DOUBLE,
    ELM_TABLE_INT32,
    ELM_TABLE_INT64
} elm_table_type;

/** Begins a file; `format` and version 1 become root attributes. Local: rank 0's.
 *  Owns:   the caller calls elm_table_file_close
 *  Errors: what the system says of the place */
int elm_table_file_create(elm_table_file **file, const char *path, const char *format,
                          elm_error *err);

/** Ends it: `status` 0 and everything written puts it in its place, else nothing is left behind.
 * Accepts NULL. Returns -1 if any of it failed.
 *  Errors: what could not be written */
int elm_table_file_close(elm_table_file *file, int status, elm_error *err);

/* The first failure is kept and reported by elm_table_file_close. Groups in a name are made. */
/* an attribute */
void elm_table_file_number(elm_table_file *file, const char *group, const char *name, double value);
/* likewise */
void elm_table_file_text(elm_table_file *file, const char *group, const char *name,
                         const char *text);
/* fixed length */
void elm_table_file_texts(elm_table_file *file, const char *name, const char *const *texts,
                          int64_t count);
void elm_table_file_array(elm_table_file *file, const char *name, elm_table_type type, int64_t rows,
                          int64_t columns /* 0: a vector */, const void *values);
/** An array whose rows come bit by bit: made here, filled by elm_table_file_rows in order. */
void elm_table_file_open_rows(elm_table_file *file, const char *name, elm_table_type type,
                              int64_t rows, int64_t columns);
void elm_table_file_rows(elm_table_file *file, const char *name, int64_t first, int64_t count,
                         const void *values);

#endif
