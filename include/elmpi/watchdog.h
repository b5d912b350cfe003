/* Watch: where a rank is, told to a watchdog that ends a job in which nobody moves any more, and to
 * fault injection.
 *
 * Heartbeats are small files in the run folder, heartbeat-<run>-<rank>, renewed by a thread of each
 * rank: phase, step, and for how long. A rank that is stopped, dead or cut off falls silent there,
 * and the others name it. A heartbeat counts by its change, seen by this process's own clock, never
 * by its date. Nothing here communicates: it has to work when communication does not, and before
 * there is any.
 *
 * A process that waits for no other (one rank, or a program without ranks) hangs when it
 * neither computes nor reads nor writes.
 *
 * Fault injection, for tests: ELMPI_FAULT=<kind>@<phase>[:rank=<r>][:step=<n>] makes rank r (0)
 * fail when it enters that phase, of step n (the first that comes). Kinds: kill (SIGKILL), exit
 * (exit status 3), error (the phase returns an error), memory (all memory is used up), stop
 * (SIGSTOP). Phases: `phases` in src/base/process/fault_injection.c, which another name's
 * refusal lists. A failure that never came is told at the end. Without the variable entering a
 * phase costs one comparison. */
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

/** Who watches, among how many, as soon as it is known. Local. */
void elm_watchdog_set_rank(elm_watchdog *watch, int rank, int size);

/** Seconds of timeout that the environment asks for (ELMPI_STALL_TIMEOUT), `otherwise` where it
 * asks for none.
 *  Errors: ELM_EXIT_USAGE for a value that is none */
int elm_watchdog_timeout(double otherwise, double *timeout, elm_error *err);

/** Starts the watchdog, or gives it another timeout. Once this rank has been in one phase for
 * `timeout` seconds and no heartbeat shows that another has moved on within them, it says where
 * everybody was last seen (stderr, and log.txt of the run folder) and, `timeout` or 30 seconds
 * later, ends the process with exit status 1, on which mpirun and srun --kill-on-bad-exit end the
 * others. 0 seconds: never.
 *  Errors: no thread to be had */
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
/** The phase is long, and goes on well. Accepts NULL. */
void elm_watchdogdog_heartbeat(elm_watchdog *watch);

/** How many seconds of listening tell whether ranks of another run live, by their heartbeats in
 * its folder; -1 where there are none. */
double elm_watchdog_listening_time(const char *folder, int run);
/** Listens for that long, or until a heartbeat changes: that run lives. `mine`, or NULL, is told
 * meanwhile that all goes well. */
bool elm_watchdog_listen(const char *folder, int run, elm_watchdog *mine);

#endif
