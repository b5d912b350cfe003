/* Archive names: names of files and links in archives, whatever alphabet they are in. */
#ifndef ELMPI_PREPARE_ARCHIVES_ARCHIVE_NAMES_H
#define ELMPI_PREPARE_ARCHIVES_ARCHIVE_NAMES_H

#include <locale.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A locale whose characters are UTF-8, or 0 where this machine has none. libarchive turns names of
 * 7-Zip and RAR, which come as Unicode, into the calling thread's characters; in the C locale every
 * name with a foreign letter would be lost.
 *  Owns:   freelocale */
locale_t elm_archive_locale(void);

/** What an archive is that elmpi does not read, by its first bytes, or NULL; with what to do. */
const char *elm_archive_foreign(const uint8_t *bytes, size_t size_bytes);

/** What kind of container the first bytes begin, as far as it matters how it is read. */
typedef enum elm_container {
    ELM_CONTAINER_PLAIN, /* tar, cpio: read in order; names are bytes, which stay as they are */
    ELM_CONTAINER_ZIP,   /* read in any order; has an index */
    ELM_CONTAINER_OTHER, /* 7-Zip, RAR, or not known: read in any order; names are Unicode */
} elm_container;
elm_container elm_archive_container(const uint8_t *bytes, size_t size_bytes);

/** Whether something else than 7-Zip and RAR, of kind ELM_CONTAINER_OTHER, may be a zip that
 * something stands in front of. */
bool elm_archive_may_be_zip(const uint8_t *bytes, size_t size_bytes);

/** Whether a file's name is that of an archive which is looked into, and how long the name is
 * without the ending. */
bool elm_archive_is_name(const char *path, size_t *stem);

/** Where a link at `path` leads: a symbolic link's target counts from the link's folder, a hard
 * link's from the archive's root.
 *  Shape:  out [size_bytes]
 *  Errors: false where it leads out of the archive, or is too long */
bool elm_archive_link_target(const char *path, const char *target, bool hard, char *out,
                             size_t size_bytes);

#endif
