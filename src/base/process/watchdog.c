#include "elmpi/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/process/clock.h"
#include "base/process/process.h"
#include "base/process/watchdog_state.h"
#include "elmpi/memory.h"

/* ranks that have not met may be that far apart on a busy machine, whatever the timeout */
enum { START_SECONDS = 15 };
static const unsigned grace = 30; /* seconds between the last words and the end, at most */

/* Ranks lose timeout together: the first speaks for all who see the folder; rank 0 speaks too
 * unless the first is on its own host, whose words the same launcher passes on: a rank that was
 * cut off may speak first, and not be heard. */
static bool speaks(const elm_watchdog *watch)
{
    char path[ELM_PATH_SIZE], mine[64] = "", first[64] = "";
    gethostname(mine, sizeof mine - 1);
    snprintf(path, sizeof path, "%.4000s/heartbeat-%d-stalled", watch->folder, watch->run);
    const int made = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (made >= 0) {
        elm_io_write(made, mine, strlen(mine));
        close(made);
        return true;
    }
    const int file = errno == EEXIST ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return true;
    const bool known = read(file, first, sizeof first - 1) > 0;
    close(file);
    return watch->rank == 0 && known && strcmp(first, mine) != 0;
}

static void tell(elm_watchdog *watch, double waited)
{
    char path[ELM_PATH_SIZE];
    watch_say_stall(watch, waited, stderr);
    snprintf(path, sizeof path, "%.4000s/log.txt", watch->folder);
    FILE *log = *watch->folder ? fopen(path, "a") : NULL;
    if (log) {
        watch_say_stall(watch, waited, log);
        fclose(log);
        elm_process_keep(path); /* also of a run that has not begun: it says what became of it */
    }
}

/* Not by MPI_Abort: this thread may not call MPI, and a message might not arrive. Whoever
 * started the ranks notices that one is gone. Before, it has the time to find out by itself that
 * a link is dead: mpirun that has just sent something there waits for an answer for long.
 * Without a folder ranks cannot tell who speaks: they take turns, and the first one's end is
 * that of the others. */
_Noreturn static void end_all(elm_watchdog *watch, double waited)
{
    if (*watch->folder) {
        watch_beat(watch, 0);
        if (speaks(watch))
            tell(watch, waited);
        sleep(watch->timeout < grace ? (unsigned)ceil(watch->timeout) : grace);
    } else {
        sleep(watch->rank < 6 ? 5 * (unsigned)watch->rank : grace);
        tell(watch, waited);
    }
    elm_process_remove_unfinished();
    _exit(ELM_EXIT_FAILURE);
}

/* Sleeps until the next check, or until it is woken. Holds the lock except while asleep. */
static void wait_interval(elm_watchdog *watch)
{
    const double seconds = watch->timeout > 0 ? watch_interval(watch->timeout) : 30,
                 begun = elm_clock_seconds();
    const struct timespec until = elm_clock_after(seconds);
    pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    if (elm_clock_seconds() - begun > 2 * seconds + 1)
        watch->awake = elm_clock_seconds();
}

/* Processor seconds, and bytes read and written, which count as much as a second a 4 MB: more of
 * it is a sign of life, and this thread itself does next to nothing. */
static double work_done(void)
{
    struct timespec used;
    unsigned long long read_bytes = 0, written = 0;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    FILE *file = fopen("/proc/self/io", "re");
    if (file && fscanf(file, "rchar: %llu wchar: %llu", &read_bytes, &written) != 2)
        read_bytes = written = 0;
    if (file)
        fclose(file);
    return (double)used.tv_sec + 1e-9 * (double)used.tv_nsec +
           (double)(read_bytes + written) / (1 << 22);
}

/* A process that waits for no other is alive as long as it computes, reads or writes. */
static void notice_work(elm_watchdog *watch)
{
    enum { LOOKS_A_SECOND = 100 }; /* this thread does less than that */
    const double now = work_done();
    if (watch->size == 1 && !watch->launched && now - watch->worked > 1.0 / LOOKS_A_SECOND)
        elm_watchdog_heartbeat(watch);
    watch->worked = now;
}

/* Nobody has moved on for the timeout. Others are looked at after half of it, and again at its
 * end. */
static bool is_stalled(elm_watchdog *watch, double waited)
{
    if (waited < watch->timeout / 2) {
        watch_forget_others(watch);
        return false;
    }
    if (!watch->seen)
        watch_look_at_others(watch);
    if (waited <= fmax(watch->timeout,
                       watch->about_phase == atomic_load(&watch->phase) ? watch->floor : 0) ||
        (*watch->folder && elm_clock_seconds() - watch->seen_at < watch->timeout / 2.5))
        return false;
    if (!watch_any_progress(watch))
        return true;
    watch_forget_others(watch);
    return false;
}

static void *guard(void *context)
{
    elm_watchdog *watch = context;
    pthread_mutex_lock(&watch->lock);
    watch->awake = elm_clock_seconds();
    int looks = 0; /* in a row without progress: a single one may be due to a busy file system */
    while (!watch->ends) {
        wait_interval(watch);
        if (watch->ends || watch->timeout <= 0)
            continue;
        elm_process_set_deadline(fmax(watch->timeout, START_SECONDS),
                                 "the run folder's file system does not answer");
        if (watch->beats)
            watch_beat(watch, 0);
        notice_work(watch);
        const double waited = elm_clock_seconds() - fmax(atomic_load(&watch->moved), watch->awake);
        looks = is_stalled(watch, waited) ? looks + 1 : 0;
        elm_process_set_deadline(0, NULL);
        if (looks > 1)
            end_all(watch, waited);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int elm_watchdog_create(elm_watchdog **out, const char *program, elm_error *err)
{
    elm_fault fault;
    *out = NULL;
    if (elm_fault_parse(&fault, getenv("ELMPI_FAULT"), err))
        return -1;
    elm_watchdog *watch = elm_alloc(1, sizeof *watch, err);
    if (!watch)
        return -1;
    pthread_condattr_t clock;
    watch->program = program;
    watch->fault = fault;
    watch->size = 1;
    watch->rank = elm_process_rank();
    watch->launched = elm_process_is_launched();
    atomic_init(&watch->phase, "start");
    atomic_init(&watch->step, 0);
    atomic_init(&watch->moved, elm_clock_seconds());
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&watch->lock, NULL);
    *out = watch;
    return 0;
}

void elm_watchdog_destroy(elm_watchdog *watch)
{
    if (!watch)
        return;
    if (watch->guarded) {
        pthread_mutex_lock(&watch->lock);
        watch->ends = true;
        pthread_cond_signal(&watch->wake);
        pthread_mutex_unlock(&watch->lock);
        pthread_join(watch->thread, NULL);
    }
    elm_fault_tell_unused(&watch->fault, watch->rank, watch->size);
    if (watch->beats) {
        char path[ELM_PATH_SIZE];
        elm_heartbeat_path(watch->folder, watch->run, watch->rank, path);
        unlink(path);
    }
    elm_free(watch->seen);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    elm_free(watch);
}

void elm_watchdog_set_rank(elm_watchdog *watch, int rank, int size)
{
    pthread_mutex_lock(&watch->lock);
    watch->rank = rank;
    watch->size = size;
    watch->launched = false;
    watch_forget_others(watch);
    pthread_mutex_unlock(&watch->lock);
}

int elm_watchdog_guard(elm_watchdog *watch, double timeout, elm_error *err)
{
    pthread_mutex_lock(&watch->lock);
    watch->timeout = timeout;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    if (watch->guarded || timeout <= 0)
        return 0;
    /* Signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    watch->guarded = !pthread_create(&watch->thread, NULL, guard, watch);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (watch->guarded)
        return 0;
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "no thread for the watchdog (run.stall_timeout): allow more processes (ulimit -u)");
}

void elm_watchdog_set_folder(elm_watchdog *watch, const char *folder, int run)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->folder, sizeof watch->folder, "%s", folder);
    watch->run = run;
    watch_forget_others(watch);
    elm_process_set_deadline(watch->timeout > 0 ? fmax(watch->timeout, START_SECONDS) : 0,
                             "the run folder's file system does not answer");
    if (watch->guarded)
        watch_beat(watch, O_CREAT);
    elm_process_set_deadline(0, NULL);
    pthread_mutex_unlock(&watch->lock);
}

int elm_watchdog_timeout(double otherwise, double *timeout, elm_error *err)
{
    const char *text = getenv("ELMPI_STALL_TIMEOUT");
    *timeout = otherwise;
    if (!text || !*text)
        return 0;
    char *end;
    *timeout = strtod(text, &end);
    return *end || end == text || !(*timeout >= 0 && *timeout <= 1e9)
               ? elm_error_set(err, ELM_EXIT_USAGE,
                               "no number of seconds: %s (ELMPI_STALL_TIMEOUT): give 0 (for ever) "
                               "to 1e9, or unset it",
                               text)
               : 0;
}

int elm_watchdog_enter_with(elm_watchdog *watch, const char *phase, const char *about,
                            elm_error *err)
{
    if (!watch)
        return 0;
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->about, sizeof watch->about, "%s", about);
    watch->about_phase = phase;
    watch->floor = watch->launched ? START_SECONDS : 0;
    pthread_mutex_unlock(&watch->lock);
    return elm_watchdog_enter(watch, phase, err);
}

int elm_watchdog_enter(elm_watchdog *watch, const char *phase, elm_error *err)
{
    if (!watch)
        return 0;
    elm_process_set_phase(phase);
    atomic_store_explicit(&watch->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&watch->moved, elm_clock_seconds(), memory_order_relaxed);
    if (watch->fault.kind >= 0 &&
        elm_fault_is_due(&watch->fault, phase, watch->rank, atomic_load(&watch->step)))
        return elm_fault_strike(&watch->fault, err);
    return 0;
}

void elm_watchdog_set_step(elm_watchdog *watch, int64_t step)
{
    if (watch)
        atomic_store_explicit(&watch->step, step, memory_order_relaxed);
}

void elm_watchdog_heartbeat(elm_watchdog *watch)
{
    if (watch)
        atomic_store_explicit(&watch->moved, elm_clock_seconds(), memory_order_relaxed);
}
