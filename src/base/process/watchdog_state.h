/* Watchdog state: shared by the watchdog's thread (watchdog.c) and its messages
 * (watchdog_messages.c). */
#ifndef ELMPI_BASE_PROCESS_WATCHDOG_STATE_H
#define ELMPI_BASE_PROCESS_WATCHDOG_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/file/io.h"
#include "base/process/fault_injection.h"
#include "base/process/heartbeat.h"
#include "elmpi/watchdog.h"

struct elm_watchdog {
    const char *program;
    int rank, size;
    /* by something that may have started other ranks, of which there is no news yet */
    bool launched;
    elm_fault fault;
    _Atomic(const char *) phase;
    atomic_int_fast64_t step;
    _Atomic double moved; /* elm_clock_seconds of the last sign of life */

    /* Shared with the watchdog under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool guarded, ends;
    double timeout;
    double floor;               /* but not before so many seconds in the present phase */
    char folder[ELM_PATH_SIZE]; /* empty: none yet */
    int run;
    bool beats; /* a heartbeat was made */
    long long count;
    /* since when, elm_clock_seconds: a process that was suspended has not been waiting */
    double awake;
    char about[256];
    const char *about_phase; /* the phase that `about` and `floor` belong to */
    /* [size] as they were at `seen_at`; NULL: not looked at since this rank moved */
    elm_heartbeat *seen;
    double seen_at;
    double worked; /* work done so far by a process that waits for no other: see work_done */
};

/** Seconds between two looks. */
double watch_interval(double timeout);
/** This rank's heartbeat, now. */
void watch_beat(elm_watchdog *watch, int flags);
/** Notes what every heartbeat is now, to be compared with what it is later. */
void watch_look_at_others(elm_watchdog *watch);
void watch_forget_others(elm_watchdog *watch);
/** Whether a heartbeat shows, by its change since then, that another rank is alive and has made
 * progress within the timeout. */
bool watch_any_progress(const elm_watchdog *watch);
/** Reports where this rank waits, and the last known phase of every rank. */
void watch_say_stall(const elm_watchdog *watch, double waited, FILE *to);

#endif
