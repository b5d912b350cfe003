/* Sources: the files that a job is read from: the one that was started with, and those that "[job]
 * include" names. */
#ifndef ELMPI_JOB_SOURCES_H
#define ELMPI_JOB_SOURCES_H

#include "job/file.h"
#include "job/value.h"

enum { ELM_SOURCES_MAX = 32, ELM_SOURCES_DEEP = 8 };

/** One file and where it was included: by which one, -1: by none, on which line. */
typedef struct elm_source {
    elm_job_file file;
    int by, line, depth;
    bool begun; /* it has given an entry, so that including comes too late */
} elm_source;

typedef struct elm_sources {
    elm_source all[ELM_SOURCES_MAX];
    int count, now; /* `now`: the one being read */
} elm_sources;

/** Begins with the file that the user started with. */
void elm_sources_begin(elm_sources *sources, const elm_job_file *root);

/** Reads the file `name`, relative to the present one, whose line names it; the file becomes the
 * present one.
 *  Owns:   *text to be freed with elm_free
 *  Errors: ELM_EXIT_USAGE: unreadable, includes that lead back, a file included twice, too many
 *          files */
int elm_sources_enter(elm_sources *sources, const char *name, int line, char **text,
                      elm_error *err);

/** Goes back to the file that included the present one. */
void elm_sources_leave(elm_sources *sources);

/** "a.ini:2".
 *  Shape:  place [ELM_PLACE_SIZE] */
void elm_sources_place(const elm_sources *sources, int file, int line, char *place);

#endif
