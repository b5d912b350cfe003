/* Watchdog: ends a job in which no rank makes progress any more, by the phases that each rank
 * reports; fault injection uses the same phases.
 *
 * Heartbeats are small files in the run folder, heartbeat-<run>-<rank>, renewed by a thread of each
 * rank: phase, step, and for how long. The heartbeat of a rank that is stopped, dead or cut off no
 * longer changes, and the others name that rank. A change is timed by the reader's own clock; the
 * file's date does not matter. Nothing here communicates: it has to work when MPI does not, and
 * before MPI is started.
 *
 * A process that waits for no other (one rank, or a program without ranks) hangs when it
 * neither computes nor reads nor writes.
 *
 * Fault injection, for tests: ELMPI_FAULT=<kind>@<phase>[:rank=<r>][:step=<n>] makes rank r (0)
 * fail when it enters that phase, of step n (the first that comes). Kinds: kill (SIGKILL), exit
 * (exit status 3), error (the phase returns an error), memory (all memory is used up), stop
 * (SIGSTOP). Phases: `phases` in src/base/process/fault_injection.c, which the error
 * for an unknown name lists. A fault whose phase was never entered is reported at the end. Without
 * the variable entering a phase costs one comparison. */
#ifndef ELMPI_WATCHDOG_H
#define ELMPI_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_watchdog elm_watchdog;

/** Ranks:  local
 *  Owns:   the caller; to be destroyed after the rank's last collective call
 *  Errors: ELM_EXIT_USAGE for an ELMPI_FAULT that is none */
int elm_watchdog_create(elm_watchdog **watch, const char *program, elm_error *err);
/** Ends the watchdog and removes the rank's heartbeat. Accepts NULL. */
void elm_watchdog_destroy(elm_watchdog *watch);

/** This process's rank and the number of ranks, as soon as they are known. Local. */
void elm_watchdog_set_rank(elm_watchdog *watch, int rank, int size);

/** Timeout in seconds by the environment (ELMPI_STALL_TIMEOUT), `otherwise` where it is not set.
 *  Errors: ELM_EXIT_USAGE for a value that is no timeout */
int elm_watchdog_timeout(double otherwise, double *timeout, elm_error *err);

/** Starts the watchdog, or gives it another timeout. Once this rank has been in one phase for
 * `timeout` seconds and no heartbeat shows that another rank has made progress within them, it
 * reports the last known phase of every rank (stderr, and log.txt of the run folder) and, `timeout`
 * or 30 seconds later, ends the process with exit status 1, on which mpirun and
 * srun --kill-on-bad-exit end the others. 0 seconds: never.
 *  Errors: the thread cannot be started */
int elm_watchdog_guard(elm_watchdog *watch, double timeout, elm_error *err);

/** Heartbeats go into this folder from now on; where it does not exist on this host, there are
 * none. `run` is the run's number there. */
void elm_watchdog_set_folder(elm_watchdog *watch, const char *folder, int run);

/** The rank begins a phase: a static text. Accepts a NULL watch. Allocates nothing.
 *  Errors: -1 only by fault injection */
int elm_watchdog_enter(elm_watchdog *watch, const char *phase, elm_error *err);
/** The same, with what the phase is about, such as a file's name, for the watchdog's message. */
int elm_watchdog_enter_with(elm_watchdog *watch, const char *phase, const char *about,
                            elm_error *err);
/** The step that phases belong to from now on, counted from 1. Accepts NULL. */
void elm_watchdog_set_step(elm_watchdog *watch, int64_t step);
/** Shows that a long phase makes progress. Accepts NULL. */
void elm_watchdog_heartbeat(elm_watchdog *watch);

/** Seconds after which an unchanged heartbeat means that the ranks of another run have ended; -1
 * where its folder has no heartbeats. */
double elm_watchdog_listening_time(const char *folder, int run);
/** Waits for that long, or until a heartbeat changes: true, the run is still active. `mine`, or
 * NULL, gets heartbeats meanwhile. */
bool elm_watchdog_listen(const char *folder, int run, elm_watchdog *mine);

#endif
