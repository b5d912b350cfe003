/* Rejects: what a preparation left out, and why. */
#ifndef ELMPI_PREPARE_REJECTS_H
#define ELMPI_PREPARE_REJECTS_H

#include <stdint.h>

#include "elmpi/log.h"
#include "elmpi/status.h"

typedef enum elm_rejects_kind {
    ELM_REPORT_UNREADABLE, /* found, but no sound image */
    ELM_REPORT_MISSING,    /* listed and not found */
    ELM_REPORT_UNSAFE,     /* a name that must not be used */
    ELM_REPORT_TWICE,      /* listed or found again: the first counts */
    ELM_REPORT_FOREIGN,    /* an image of a kind that elmpi does not read */
    ELM_REPORT_LOOSE,      /* in no class's folder */
    ELM_REPORT_HIDDEN,     /* hidden, or a system's */
    ELM_REPORT_LINK,       /* a link that leads to no file of the archive */
    ELM_REPORT_SPECIAL,    /* a pipe, socket or device */
    ELM_REPORT_ARCHIVE,    /* an archive beside images */
    ELM_REPORT_CLASS,      /* of a class that is left out */
    /* no image, though its name looks like one: what macOS knows of one; never an offence */
    ELM_REPORT_ATTRIBUTES,
    ELM_REPORT_KINDS,
} elm_rejects_kind;

typedef struct elm_rejects elm_rejects;

/** Owns:   the caller destroys */
int elm_rejects_create(elm_rejects **report, elm_error *err);
void elm_rejects_destroy(elm_rejects *report);

/** Notes one case: a line "<kind>: <name>: <why>". */
int elm_rejects_add(elm_rejects *report, elm_rejects_kind kind, const char *name, const char *why,
                    elm_error *err);
/** Counts a file that is passed over because its name is no image's; never an offence. */
void elm_rejects_pass(elm_rejects *report, const char *name);
/** Cases that something should be done about. */
int64_t elm_rejects_count(const elm_rejects *report);

/** Writes all lines to `path`, by way of a temporary file; where there are none, removes what an
 * earlier run left there. */
int elm_rejects_write(const elm_rejects *report, const char *path, elm_error *err);
/** Says how many of each kind there are, as warnings. */
void elm_rejects_summarize(const elm_rejects *report, const char *path, const elm_log *log);
/** The first case's line, cut where it does not fit; there must be one. Returns text. */
const char *elm_rejects_first(const elm_rejects *report, char *text, size_t size_bytes);
/** Fills err with the first case and the number of all; for --strict. Returns -1. */
int elm_rejects_refuse(const elm_rejects *report, const char *path, elm_error *err);

#endif
