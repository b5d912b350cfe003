/* Zip index: the directory at the end of a zip archive, read and compared with the headers
 * before each file. libarchive decompresses, but it takes names through the locale, passes over
 * entries whose directory is damaged, and does not say what it cannot read. */
#ifndef ELMPI_PREPARE_ARCHIVES_ZIP_INDEX_H
#define ELMPI_PREPARE_ARCHIVES_ZIP_INDEX_H

#include "prepare/archives/stream.h"

/** A file, folder or link. */
typedef struct elm_zip_item {
    int64_t offset; /* of its header; items are sorted by it */
    int64_t packed_bytes, size_bytes;
    /* the bytes that stand there, or the Unicode name that stands beside them */
    const char *name;
    const char *problem; /* why its bytes cannot be read, or NULL */
} elm_zip_item;

typedef struct elm_zip_index {
    elm_zip_item *items;
    int64_t count;
    char *texts;
} elm_zip_index;

/** Errors: -1, `cause` says what is wrong */
int elm_zip_index_read(elm_zip_index *index, const elm_stream *stream,
                       char cause[ELM_STREAM_CAUSE]);
void elm_zip_index_free(elm_zip_index *index);

#endif
