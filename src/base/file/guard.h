/* Guard: a file from outside is read in a process of its own first. Libraries that read complex
 * formats crash on some forged files (HDF5 1.10 does); there, a crash, a loop without end or memory
 * without bounds is an error message, and the program has not touched the file.
 *
 * The process is this program again (posix_spawn, so that MPI's memory is not copied): a module
 * that reads such files names a kind and the function that reads one, with ELM_GUARD_SERVE in
 * its source; that function runs before main and ends the process. */
#ifndef ELMPI_BASE_FILE_GUARD_H
#define ELMPI_BASE_FILE_GUARD_H

#include "elmpi/status.h"

/** Reads everything of a file that the program would read, and lets go of it. 0, or -1 with what
 * is wrong with the file. */
typedef int (*elm_guard_read)(const char *path, elm_error *err);

/** Has a process of its own read the file first.
 *  Ranks:  local; one rank asks for all, and they wait for its verdict
 *  Memory: the process gets 1 GiB and four times the file's size, its processor 60 s and a second
 *          for each MiB
 *  Errors: the reader's own; a crash, too much time or memory. With ELMPI_GUARD=off in the
 *          environment nothing is looked at: for systems that allow no second process */
int elm_guard_check(const char *kind, const char *path, elm_error *err);

/** Ends the process when it is one that elm_guard_check started for this kind. */
void elm_guard_serve(int argc, char **argv, const char *kind, elm_guard_read read);

/** Makes the program that this source is linked into answer for `kind_text`, a literal. */
#define ELM_GUARD_SERVE(name, kind_text, read)                                                     \
    __attribute__((constructor)) static void serve_##name(int argc, char **argv)                   \
    {                                                                                              \
        elm_guard_serve(argc, argv, kind_text, read);                                              \
    }

#endif
