#include "elmpi/watch.h"

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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "elmpi/io.h"
#include "elmpi/memory.h"

enum { BEAT_SIZE = 256, SHOWN_MAX = 16 };
static const unsigned grace = 30; /* seconds between the last words and the end, at most */

struct elm_watch {
    const char *program;
    int rank, size;
    elm_fault fault;
    _Atomic(const char *) phase;
    atomic_int_fast64_t step;
    _Atomic double moved; /* elm_io_seconds of the last sign of life */

    /* Shared with the watchdog under `lock`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool guarded, ends;
    double timeout;
    char folder[ELM_PATH_SIZE]; /* empty: none yet */
    int run;
    bool beats;   /* a heartbeat was made */
    double awake; /* since when, elm_io_seconds: a process that was suspended has not been waiting */
};

/* What a rank's heartbeat tells. */
typedef struct sign {
    bool known;
    char phase[32], host[64];
    long long step;
    double stayed; /* seconds in the phase when it was written */
    double age;    /* seconds since then */
} sign;

static double interval_of(double timeout)
{
    const double interval = timeout / 10; /* often enough for ages to say something, seldom enough for a shared disk */
    return interval < 0.1 ? 0.1 : interval > 30 ? 30 : interval;
}

static void path_of(const elm_watch *watch, int rank, char path[ELM_PATH_SIZE])
{
    snprintf(path, ELM_PATH_SIZE, "%.4000s/heartbeat-%d-%d", watch->folder, watch->run, rank);
}

/* One line of fixed length, so that a reader never sees a part of it. */
static void beat(elm_watch *watch, int flags)
{
    char path[ELM_PATH_SIZE], host[64] = "", text[BEAT_SIZE], line[BEAT_SIZE + 1];
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text, "step %lld phase %.31s seconds %.1f host %.63s pid %ld", (long long)atomic_load(&watch->step),
             atomic_load(&watch->phase), elm_io_seconds() - atomic_load(&watch->moved), *host ? host : "-", (long)getpid());
    snprintf(line, sizeof line, "%-*s\n", BEAT_SIZE - 1, text);
    path_of(watch, watch->rank, path);
    /* Closed each time: only then does a network file system show it to others. */
    const int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
    if (file < 0)
        return;
    watch->beats |= pwrite(file, line, BEAT_SIZE, 0) == BEAT_SIZE;
    close(file);
}

static sign read_sign(const elm_watch *watch, int rank)
{
    char path[ELM_PATH_SIZE], line[BEAT_SIZE + 1] = "";
    sign found = {0};
    struct stat about;
    struct timespec now;
    path_of(watch, rank, path);
    const int file = *watch->folder ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0)
        return found;
    const ssize_t got = pread(file, line, BEAT_SIZE, 0);
    const bool dated = !fstat(file, &about);
    close(file);
    clock_gettime(CLOCK_REALTIME, &now);
    found.age = (double)(now.tv_sec - about.st_mtim.tv_sec) + 1e-9 * (double)(now.tv_nsec - about.st_mtim.tv_nsec);
    found.known = dated && got > 0 &&
                  sscanf(line, "step %lld phase %31s seconds %lf host %63s", &found.step, found.phase, &found.stayed, found.host) == 4;
    return found;
}

/* Whether a heartbeat shows that somebody has moved on within the patience. */
static bool somebody_moves(const elm_watch *watch)
{
    for (int r = 0; r < watch->size; r++) {
        const sign theirs = read_sign(watch, r);
        if (r != watch->rank && theirs.known && theirs.age + theirs.stayed < watch->timeout)
            return true;
    }
    return false;
}

static void say_rank(int rank, const sign *seen, bool silent, FILE *to)
{
    if (!seen->known)
        fprintf(to, "  rank %d: never heard of\n", rank);
    else
        fprintf(to, "  rank %d on %s: %s, step %lld, for %.1f s, heard of %.1f s ago%s\n", rank, seen->host, seen->phase, seen->step,
                seen->stayed, seen->age, silent ? ": silent since (stopped, dead or cut off)" : "");
}

/* Who is silent comes first; of many others just the number. */
static void say_everybody(const elm_watch *watch, FILE *to)
{
    const double fresh = 3 * interval_of(watch->timeout) + 1;
    for (int silent = 1, shown = 0; silent >= 0; silent--) {
        int rest = 0;
        for (int r = 0; r < watch->size; r++) {
            const sign seen = read_sign(watch, r);
            if ((!seen.known || seen.age > fresh) != silent)
                continue;
            if (shown++ < SHOWN_MAX)
                say_rank(r, &seen, silent, to);
            else
                rest++;
        }
        if (rest)
            fprintf(to, "  and %d more %s\n", rest, silent ? "that are silent" : "that wait");
    }
}

static void say_stall(const elm_watch *watch, double waited, FILE *to)
{
    fprintf(to, "%s: error: rank %d has been in %s of step %lld for %.1f s and nobody has moved on since", watch->program, watch->rank,
            atomic_load(&watch->phase), (long long)atomic_load(&watch->step), waited);
    if (*watch->folder) {
        fprintf(to, " (run.stall_timeout = %g s): the job ends here, --resume continues from the last checkpoint. Last seen:\n",
                watch->timeout);
        say_everybody(watch, to);
    } else {
        fprintf(to, " (patience: %g s): the job ends here, start it again\n", watch->timeout);
    }
    fflush(to);
}

/* Ranks lose patience together: the first speaks for all who see the folder; rank 0 speaks too unless the first is on its own host, whose
 * words the same launcher passes on: a rank that was cut off may speak first, and not be heard. */
static bool speaks(const elm_watch *watch)
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

static void tell(elm_watch *watch, double waited)
{
    char path[ELM_PATH_SIZE];
    say_stall(watch, waited, stderr);
    snprintf(path, sizeof path, "%.4000s/log.txt", watch->folder);
    FILE *log = *watch->folder ? fopen(path, "a") : NULL;
    if (log) {
        say_stall(watch, waited, log);
        fclose(log);
    }
}

/* Not by MPI_Abort: this thread may not call MPI, and a message might not arrive. Whoever started the ranks notices that one is gone.
 * Before, it has the time to find out by itself that a link is dead: mpirun that has just sent something there waits for an answer for
 * long. Without a folder ranks cannot tell who speaks: they take turns, and the first one's end is that of the others. */
_Noreturn static void end_all(elm_watch *watch, double waited)
{
    if (*watch->folder) {
        beat(watch, 0);
        if (speaks(watch))
            tell(watch, waited);
        sleep(watch->timeout < grace ? (unsigned)ceil(watch->timeout) : grace);
    } else {
        sleep(watch->rank < 6 ? 5 * (unsigned)watch->rank : grace);
        tell(watch, waited);
    }
    _exit(ELM_EXIT_FAILURE);
}

/* Until the next look, or until somebody has news. Holds the lock but while asleep. */
static void sleep_a_while(elm_watch *watch)
{
    struct timespec until;
    const double seconds = watch->timeout > 0 ? interval_of(watch->timeout) : 30, begun = elm_io_seconds();
    clock_gettime(CLOCK_MONOTONIC, &until);
    const double whole = floor(seconds);
    until.tv_sec += (time_t)whole;
    until.tv_nsec += (long)(1e9 * (seconds - whole));
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    if (elm_io_seconds() - begun > 2 * seconds + 1)
        watch->awake = elm_io_seconds();
}

static void *guard(void *context)
{
    elm_watch *watch = context;
    pthread_mutex_lock(&watch->lock);
    watch->awake = elm_io_seconds();
    int looks = 0; /* in a row that saw nobody move: one may have met a file system that was busy */
    while (!watch->ends) {
        sleep_a_while(watch);
        if (watch->ends || watch->timeout <= 0)
            continue;
        if (watch->beats)
            beat(watch, 0);
        const double waited = elm_io_seconds() - fmax(atomic_load(&watch->moved), watch->awake);
        looks = waited > watch->timeout && !somebody_moves(watch) ? looks + 1 : 0;
        if (looks > 1)
            end_all(watch, waited);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

int elm_watch_create(elm_watch **out, const char *program, elm_error *err)
{
    elm_fault fault;
    *out = NULL;
    if (elm_fault_parse(&fault, getenv("ELMPI_FAULT"), err))
        return -1;
    elm_watch *watch = elm_alloc(1, sizeof *watch, err);
    if (!watch)
        return -1;
    pthread_condattr_t clock;
    watch->program = program;
    watch->fault = fault;
    watch->size = 1;
    atomic_init(&watch->phase, "start");
    atomic_init(&watch->step, 0);
    atomic_init(&watch->moved, elm_io_seconds());
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->wake, &clock);
    pthread_condattr_destroy(&clock);
    pthread_mutex_init(&watch->lock, NULL);
    *out = watch;
    return 0;
}

void elm_watch_destroy(elm_watch *watch)
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
        path_of(watch, watch->rank, path);
        unlink(path);
    }
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    elm_free(watch);
}

void elm_watch_set_rank(elm_watch *watch, int rank, int size)
{
    pthread_mutex_lock(&watch->lock);
    watch->rank = rank;
    watch->size = size;
    pthread_mutex_unlock(&watch->lock);
}

int elm_watch_guard(elm_watch *watch, double timeout, elm_error *err)
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
    return elm_error_set(err, ELM_EXIT_FAILURE, "no thread for the watchdog (run.stall_timeout): allow more processes (ulimit -u)");
}

void elm_watch_set_folder(elm_watch *watch, const char *folder, int run)
{
    if (!watch)
        return;
    pthread_mutex_lock(&watch->lock);
    snprintf(watch->folder, sizeof watch->folder, "%s", folder);
    watch->run = run;
    if (watch->guarded)
        beat(watch, O_CREAT);
    pthread_mutex_unlock(&watch->lock);
}

int elm_watch_enter(elm_watch *watch, const char *phase, elm_error *err)
{
    if (!watch)
        return 0;
    atomic_store_explicit(&watch->phase, phase, memory_order_relaxed);
    atomic_store_explicit(&watch->moved, elm_io_seconds(), memory_order_relaxed);
    if (watch->fault.kind >= 0 && elm_fault_is_due(&watch->fault, phase, watch->rank, atomic_load(&watch->step)))
        return elm_fault_strike(&watch->fault, err);
    return 0;
}

void elm_watch_set_step(elm_watch *watch, int64_t step)
{
    if (watch)
        atomic_store_explicit(&watch->step, step, memory_order_relaxed);
}

void elm_watch_tick(elm_watch *watch)
{
    if (watch)
        atomic_store_explicit(&watch->moved, elm_io_seconds(), memory_order_relaxed);
}
