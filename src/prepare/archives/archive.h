/* Archive: reads original archives as a stream: nothing is unpacked to disk (but a zip or 7-Zip
 * within another archive, to a file without a name), no link is followed, nothing but regular
 * files and, where asked for, links is seen. */
#ifndef ELMPI_PREPARE_ARCHIVES_ARCHIVE_H
#define ELMPI_PREPARE_ARCHIVES_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elmpi/status.h"

/** Where an archive's bytes are: a file, or memory when `bytes` is not NULL (then `name` stands
 * for it in messages). Borrowed. */
typedef struct elm_archive_place {
    const char *name;
    const void *bytes;
    size_t size_bytes;
} elm_archive_place;

typedef struct elm_archive elm_archive;

/** A regular file within an archive. Borrowed until the next elm_archive_next. */
typedef struct elm_archive_entry {
    const char *path; /* "cifar-100-binary/train.bin" */
    const char *base; /* "train.bin" */
    int64_t size_bytes;
    /* of its bytes in the archive's file, where they stand there as they are (an uncompressed
     * tar); else -1 */
    int64_t offset;
    const char *link; /* where a link leads, as the archive says; NULL: a file */
    bool hard;        /* a hard link: `link` counts from the archive's root */
    bool special;     /* a pipe, socket or device; handed out where links are */
} elm_archive_entry;

/** Opens an archive: tar, cpio, zip, 7-Zip, RAR; gzip, bzip2, xz, lzma, lzip, zstd, lz4, compress.
 *  Owns:   the caller closes
 *  Errors: missing or unreadable file; later calls report what is no archive, and one that
 *          unpacks to a thousand times its size */
int elm_archive_open(elm_archive **archive, const elm_archive_place *place, elm_error *err);
void elm_archive_close(elm_archive *archive);

/** Opens the archive that the current entry of another one is, where it is one: a tar of tars. The
 * outer one must not be touched before the inner one is closed. Inner entries have offsets where
 * both are uncompressed.
 *  Owns:   the caller closes; borrows `outer`
 *  Errors: as elm_archive_open */
int elm_archive_open_inner(elm_archive **inner, elm_archive *outer, const elm_archive_entry *entry,
                           elm_error *err);

/** Bytes of the archive's file that have been read or passed over so far. */
int64_t elm_archive_position(const elm_archive *archive);

#endif
