/* Output: the one way in which the programs write a file that the user names. Begin, write,
 * then commit or abandon.
 *
 * A regular file is replaced in one instant: a temporary file beside it is written, synced and
 * renamed, the folder is synced; mode and owner of an existing file stay, and a symbolic link
 * stays a link to what is replaced. Whatever else has the path (a device, a FIFO, a socket's or
 * pipe's name such as /dev/stdout) is written into and stays what it is; "-" is standard output. */
#ifndef ELMPI_OUTPUT_H
#define ELMPI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "elmpi/status.h"

typedef struct elm_output elm_output;

enum {
    /* its writer goes back and forth (HDF5): anything but a regular file is refused */
    ELM_OUTPUT_SEEK = 1,
    /* the temporary file is <path>.part for every process, so that a later attempt replaces
     * that of an interrupted one */
    ELM_OUTPUT_PART = 2,
};

/** Opens what will be written; `path` itself does not change.
 *  Owns:   the caller, until elm_output_commit or elm_output_abandon; *output is NULL after an
 *          error
 *  Errors: ELM_EXIT_USAGE for a path that cannot be an output, ELM_EXIT_FAILURE for what the
 *          system refuses */
int elm_output_begin(elm_output **output, const char *path, int flags, elm_error *err);

/** Name of the file to write, for a library that opens it by itself (ELM_OUTPUT_SEEK). */
const char *elm_output_part(const elm_output *output);
/** Descriptor of that file; of the device or pipe. */
int elm_output_descriptor(const elm_output *output);
/** A stream into it, whose failures elm_output_commit reports: printing calls need no check of
 * their own. NULL, and the failure noted, where memory is exhausted. Owned by the output. */
FILE *elm_output_stream(elm_output *output);
/** Writes bytes. 0, or the errno of the first failure, which is noted too: after it nothing is
 * written any more. */
int elm_output_write(elm_output *output, const void *bytes, size_t size_bytes);
/** Notes a failure that the caller has met, such as HDF5's, unless there was one before.
 * `cause`: an errno, 0 if not known. */
void elm_output_fail(elm_output *output, int cause);
/** Whether a failure was noted. */
bool elm_output_has_failed(const elm_output *output);

/** Puts what was written into its place and frees. After a failure, of this call or noted
 * before, nothing has changed under the path, the temporary file is gone, and err says why.
 * Accepts NULL: -1. */
int elm_output_commit(elm_output *output, elm_error *err);
/** Removes what was written and frees. Accepts NULL. */
void elm_output_abandon(elm_output *output);

/** All of it for bytes in memory. */
int elm_output_write_file(const char *path, const void *bytes, size_t size_bytes, elm_error *err);

/** Whether that path is standard output: what the program says otherwise belongs on stderr then.
 * Accepts NULL. */
bool elm_output_is_stdout(const char *path);

/** "cannot <doing> (<path>): <reason>: <what to do>" for an errno. Returns -1. */
int elm_output_failed(const char *doing, const char *path, int cause, elm_error *err);

#endif
