/* Archive entries: the files of an open archive, one after the other. */
#ifndef ELMPI_PREPARE_ARCHIVES_ARCHIVE_ENTRIES_H
#define ELMPI_PREPARE_ARCHIVES_ARCHIVE_ENTRIES_H

#include "prepare/archives/archive.h"

/** From now on elm_archive_next hands out links, too. */
void elm_archive_show_links(elm_archive *archive);

/** Moves on to the next regular file: returns 1, or 0 after the last one. Every checksum has been
 * compared then.
 *  Errors: no archive, truncated, corrupt; err names the archive and the last entry */
int elm_archive_next(elm_archive *archive, elm_archive_entry *entry, elm_error *err);

/** Reads exactly size_bytes of the current entry.
 *  Errors: truncated or corrupt archive; the content of `bytes` is meaningless then */
int elm_archive_read(elm_archive *archive, void *bytes, size_t size_bytes, elm_error *err);

#endif
