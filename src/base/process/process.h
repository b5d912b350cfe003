/* Process: how a program of elmpi answers signals and ends, from main's first line to its last.
 *
 * HUP, INT, TERM and USR1 ask to stop. A thread of its own waits for them, so that they are
 * answered whatever the others wait for: a job file that is a FIFO, a file server that is gone,
 * MPI_Init. Until a program says that it can stop by itself, it ends at once: temporary files
 * go, a line says so, exit status 75. After that the request is noted for it to act upon, and a
 * second INT ends it at once. What a program starts must not inherit its signal mask:
 * elm_process_spawn_signals. PIPE and XFSZ are errors of the writing call. */
#ifndef ELMPI_BASE_PROCESS_PROCESS_H
#define ELMPI_BASE_PROCESS_PROCESS_H

#include <signal.h>
#include <spawn.h>
#include <stdbool.h>

#include "elmpi/status.h"

/** First thing in main, before any other thread. `program` is borrowed for ever.
 *  Errors: no thread to be had */
int elm_process_begin(const char *program, elm_error *err);

/** Requests to stop are noted from now on; steps of work look at elm_process_stop. */
void elm_process_defer_stop(void);
/** Set when a stop has been requested. */
const volatile sig_atomic_t *elm_process_stop(void);
/** Writing to stdout failed (errno). Where nobody reads them any more (EPIPE), that asks to
 * stop as a signal does. */
void elm_process_note_loss(int cause);

/** Ends the process, exit status 1, unless it is called again within so many seconds, whatever
 * the caller then waits for: for who watches others and may get stuck himself. 0: no deadline. */
void elm_process_set_deadline(double seconds, const char *why);

/** What the program does at this moment, for the message at its end: a static text. */
void elm_process_set_phase(const char *phase);

/** The rank that the launcher gave this process (Open MPI, PMIx, PMI, Slurm), before MPI can
 * tell; 0 where there is none. */
int elm_process_rank(void);

/** Whether a launcher of ranks started this process. */
bool elm_process_is_launched(void);

/** A file that must not stay if a request ends the process at once, such as the claim of a run
 * that has not begun. `path` is borrowed until elm_process_keep. */
void elm_process_remove_at_end(const char *path);
/** The file of that name stays after all. Any thread may say so. */
void elm_process_keep(const char *path);
/** Removes all of those, as a process that ends at once does. Safe in any thread. */
void elm_process_remove_unfinished(void);

/** Attributes for posix_spawn that give a child the signals which this process had in the
 * beginning. 0, or an errno. */
int elm_process_spawn_signals(posix_spawnattr_t *attributes);

/** Writes out what stdout still holds. Returns `code`, or ELM_EXIT_FAILURE, having said so, if
 * `code` is success but the program's words were lost. Last thing in main. */
int elm_process_end(int code);

#endif
