/* Archive fetch: a few files out of an archive, by their names, into memory. */
#ifndef ELMPI_PREPARE_ARCHIVES_ARCHIVE_FETCH_H
#define ELMPI_PREPARE_ARCHIVES_ARCHIVE_FETCH_H

#include "prepare/archives/archive.h"

/** A file wanted from an archive, looked up by its base name. */
typedef struct elm_archive_file {
    const char *base;
    int64_t min_bytes, max_bytes; /* what its size may be; equal: exact */
    uint8_t *bytes;               /* out: size_bytes of them and a zero byte; elm_free */
    int64_t size_bytes;           /* out */
} elm_archive_file;

/** Called now and then with what is being done and the share done so far, 0..1. */
typedef struct elm_archive_progress {
    void (*report)(void *context, const char *what, double share); /* may be NULL */
    void *context;
} elm_archive_progress;

/** Fetches `count` files in one pass, in whatever order they stand in the archive, and reads on to
 * its end so that checksums are compared. Sizes are checked before anything is allocated.
 *  Owns:   files[i].bytes belong to the caller, also after failure (elm_archive_free)
 *  Errors: as above; a file that is absent, there twice or of the wrong size. `advice` says in
 *          each what the user should do. */
int elm_archive_fetch(const elm_archive_place *place, elm_archive_file *files, int count,
                      const char *advice, elm_archive_progress progress, elm_error *err);
void elm_archive_free(elm_archive_file *files, int count);

#endif
