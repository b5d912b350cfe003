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

/** From now on elm_archive_next hands out links, too. */
void elm_archive_show_links(elm_archive *archive);

/** Bytes of the archive's file that have been read or passed over so far. */
int64_t elm_archive_position(const elm_archive *archive);

/** Moves on to the next regular file: returns 1, or 0 after the last one. Every checksum has been
 * compared then.
 *  Errors: no archive, truncated, corrupt; err names the archive and the last entry */
int elm_archive_next(elm_archive *archive, elm_archive_entry *entry, elm_error *err);

/** Reads exactly size_bytes of the current entry.
 *  Errors: truncated or corrupt archive; the content of `bytes` is meaningless then */
int elm_archive_read(elm_archive *archive, void *bytes, size_t size_bytes, elm_error *err);

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
