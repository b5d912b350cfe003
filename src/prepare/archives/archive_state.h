/* Archive state: what lies behind an open archive, for the files that share it: archive.c (opening)
 * and archive_entries.c (going through it). */
#ifndef ELMPI_PREPARE_ARCHIVES_ARCHIVE_STATE_H
#define ELMPI_PREPARE_ARCHIVES_ARCHIVE_STATE_H

#include <locale.h>

#include "prepare/archives/archive.h"
#include "prepare/archives/archive_names.h"
#include "prepare/archives/stream.h"
#include "prepare/archives/zip_index.h"

enum { ARCHIVE_NAME_BYTES = 4096 };

struct elm_archive {
    struct archive *reader;
    elm_archive *outer; /* the archive that this one is an entry of, or NULL */
    int depth;          /* archives around this one */
    elm_stream *stream; /* what reader reads */
    /* nothing of it is compressed or copied: what stands in the stream stands in the file, */
    bool plain;
    int64_t base;    /* from there on */
    bool links;      /* elm_archive_next hands links out, too */
    locale_t locale; /* for names in Unicode, or 0 */
    elm_container container;
    elm_zip_index index; /* of a zip */
    bool advised;        /* cause says what to do */
    int64_t entries;     /* met so far */
    int64_t left;        /* bytes of the current entry that have not been read */
    bool done;           /* the last entry has been met */
    const char *problem; /* why the current entry's bytes cannot be read, or NULL */
    char cause[ELM_STREAM_CAUSE];
    char name[ARCHIVE_NAME_BYTES];   /* of the archive */
    char entry[ARCHIVE_NAME_BYTES];  /* the current one */
    char target[ARCHIVE_NAME_BYTES]; /* of the current link */
    /* of a cpio archive: the name under which the current file was announced without its bytes */
    char earlier[ARCHIVE_NAME_BYTES];
};

/** Why the archive cannot be read: its own reason, its stream's or libarchive's. */
const char *elm_archive_cause(const elm_archive *archive);
/** Says why, and at which entry. Returns -1. */
int elm_archive_refuse(const elm_archive *archive, elm_error *err);
/** The same, for that reason. */
int elm_archive_damaged(elm_archive *archive, const char *cause, elm_error *err);

/** The archive's locale around calls of libarchive that handle names; leave takes what enter
 * returned. */
locale_t elm_archive_enter_locale(const elm_archive *archive);
void elm_archive_leave_locale(locale_t before);

#endif
