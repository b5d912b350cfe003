/* Source files: the files of an archive, of a folder, and of the archives within either, one
 * after the other. */
#ifndef ELMPI_PREPARE_SOURCE_FILES_H
#define ELMPI_PREPARE_SOURCE_FILES_H

#include <stdint.h>

#include "elmpi/status.h"
#include "prepare/rejects.h"

typedef struct elm_image_source elm_image_source;

/** A file. Borrowed until the next elm_image_source_next. */
typedef struct elm_source_file {
    /* within the source; a file of an inner archive n01440764.tar: "n01440764/<its path there>" */
    const char *path;
    int64_t size_bytes;
    int64_t offset; /* as elm_archive_entry's */
    /* a link of an archive: the path that it leads to, a file's or a folder's; else NULL */
    const char *link;
    const char *problem; /* why it must be left out (a symbolic link that leads nowhere), or NULL */
    elm_rejects_kind kind; /* of the problem */
} elm_source_file;

/** front: what stands in front of all paths: "", or "train/".
 *  Owns:   the caller closes
 *  Errors: missing, unreadable, not an archive */
int elm_image_source_open(elm_image_source **source, const char *path, const char *front,
                          elm_error *err);
void elm_image_source_close(elm_image_source *source);

/** Moves on to the next file: 1, or 0 after the last. A folder's files come sorted by name;
 * symbolic links there are followed, but not one that leads back to a folder around it. Links of
 * archives are handed out, not followed.
 *  Errors: truncated or corrupt archive; a folder that cannot be read */
int elm_image_source_next(elm_image_source *source, elm_source_file *file, elm_error *err);

/** Reads the whole current file, size_bytes of it. */
int elm_image_source_read(elm_image_source *source, uint8_t *bytes, elm_error *err);

/** How much of it has been passed, 0..1; bytes of the archive, or files of the folder. */
double elm_image_source_share(const elm_image_source *source);

#endif
