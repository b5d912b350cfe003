#include "base/process/process.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/process/clock.h"

enum { UNFINISHED_MAX = 64, OTHERS_WAIT_SECONDS = 2 };

/* Signals belong to the process, not to any struct of it. */
static const char *program = "elmpi";
static volatile sig_atomic_t stop_asked;
static int lost_cause = EIO; /* why words for stdout were lost, if they were */
static atomic_bool stop_is_deferred;
static _Atomic(const char *) doing = "start";
static _Atomic(const char *) unfinished[UNFINISHED_MAX];
static _Atomic double deadline; /* elm_clock_seconds; 0: none */
static _Atomic(const char *) deadline_reason;
static sigset_t mask_before, requests;

static const struct {
    int signal;
    const char *name;
} signals[] = {{SIGHUP, "SIGHUP"}, {SIGINT, "SIGINT"}, {SIGTERM, "SIGTERM"}, {SIGUSR1, "SIGUSR1"}};
enum { SIGNALS = sizeof signals / sizeof *signals };

void elm_process_remove_at_end(const char *path)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        const char *none = NULL;
        if (atomic_compare_exchange_strong(&unfinished[i], &none, path))
            return;
    }
}

void elm_process_keep(const char *path)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        const char *same = atomic_load(&unfinished[i]);
        if (same && !strcmp(same, path) &&
            atomic_compare_exchange_strong(&unfinished[i], &same, NULL))
            return;
    }
}

void elm_process_remove_unfinished(void)
{
    for (int i = 0; i < UNFINISHED_MAX; i++) {
        const char *path = atomic_load(&unfinished[i]);
        if (path)
            unlink(path);
    }
}

/* The rank, or -1. */
static int launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK",
                                        "SLURM_PROCID"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        char *end;
        const long rank = text ? strtol(text, &end, 10) : -1;
        if (rank >= 0 && rank < 1 << 30 && end > text && !*end)
            return (int)rank;
    }
    return -1;
}

int elm_process_rank(void)
{
    const int rank = launched_rank();
    return rank < 0 ? 0 : rank;
}

bool elm_process_is_launched(void)
{
    return launched_rank() >= 0;
}

void elm_process_set_phase(const char *phase)
{
    atomic_store_explicit(&doing, phase, memory_order_relaxed);
}

static const char *name_of(int signal)
{
    for (int i = 0; i < SIGNALS; i++)
        if (signals[i].signal == signal)
            return signals[i].name;
    return "signal";
}

/* Only rank 0 prints; what started the ranks ends the others, if it is only one of them that
 * was asked, while they wait here. Not by stdio, whose locks the main thread may hold for ever. */
_Noreturn static void end_at_once(int signal, const char *why)
{
    char text[512];
    const int rank = elm_process_rank();
    elm_process_remove_unfinished();
    if (rank > 0)
        sleep(OTHERS_WAIT_SECONDS);
    const int length =
        snprintf(text, sizeof text, "%s: stopped on request (%s, rank %d, phase %s): %s\n", program,
                 name_of(signal), rank, atomic_load(&doing), why);
    elm_io_write(STDERR_FILENO, text, (size_t)length);
    _exit(ELM_EXIT_STOPPED);
}

void elm_process_set_deadline(double seconds, const char *why)
{
    atomic_store(&deadline_reason, why);
    atomic_store(&deadline, seconds > 0 ? elm_clock_seconds() + seconds : 0);
}

_Noreturn static void end_late(void)
{
    char text[512];
    const int length =
        snprintf(text, sizeof text,
                 "%s: error: rank %d ends in phase %s: %s: start the job again when it does\n",
                 program, elm_process_rank(), atomic_load(&doing), atomic_load(&deadline_reason));
    elm_io_write(STDERR_FILENO, text, (size_t)length);
    _exit(ELM_EXIT_FAILURE);
}

/* The next signal, 0 after a second without one. A process that was suspended meanwhile has not
 * missed its deadline. */
static int next_signal(void)
{
    const double begun = elm_clock_seconds();
    const int signal = sigtimedwait(&requests, NULL, &(struct timespec){.tv_sec = 1});
    const double now = elm_clock_seconds(), late = now - begun - 1, due = atomic_load(&deadline);
    if (due > 0 && late > 1)
        atomic_store(&deadline, due + late);
    else if (due > 0 && now > due)
        end_late();
    return signal > 0 ? signal : 0;
}

static void *answer(void *context)
{
    (void)context;
    for (;;) {
        const int signal = next_signal();
        if (!signal)
            continue;
        if (!atomic_load(&stop_is_deferred))
            end_at_once(signal, "no work was begun that could be lost, start it again");
        if (stop_asked && signal == SIGINT)
            end_at_once(
                signal,
                "for the second time, so at once: --resume continues from the last checkpoint");
        stop_asked = 1;
    }
    return NULL;
}

/* Those that whoever started the program has turned off, as nohup does, stay off. */
static void choose_requests(void)
{
    sigemptyset(&requests);
    for (int i = 0; i < SIGNALS; i++) {
        struct sigaction action;
        if (!sigaction(signals[i].signal, NULL, &action) && action.sa_handler != SIG_IGN)
            sigaddset(&requests, signals[i].signal);
    }
}

int elm_process_begin(const char *name, elm_error *err)
{
    pthread_t thread;
    program = name;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    choose_requests();
    /* All threads that are made later inherit this. */
    pthread_sigmask(SIG_BLOCK, &requests, &mask_before);
    if (pthread_create(&thread, NULL, answer, NULL)) {
        pthread_sigmask(SIG_SETMASK, &mask_before, NULL);
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "no thread to be had (start): allow more processes (ulimit -u)");
    }
    pthread_detach(thread);
    return 0;
}

void elm_process_defer_stop(void)
{
    atomic_store(&stop_is_deferred, true);
}

const volatile sig_atomic_t *elm_process_stop(void)
{
    return &stop_asked;
}

void elm_process_note_loss(int cause)
{
    lost_cause = cause;
    if (cause == EPIPE)
        stop_asked = 1;
}

int elm_process_spawn_signals(posix_spawnattr_t *attributes)
{
    sigset_t ignored;
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    int cause = posix_spawnattr_init(attributes);
    if (!cause)
        cause = posix_spawnattr_setsigmask(attributes, &mask_before);
    if (!cause)
        cause = posix_spawnattr_setsigdefault(attributes, &ignored);
    if (!cause)
        cause =
            posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    return cause;
}

int elm_process_end(int code)
{
    errno = 0;
    const bool lost = fflush(stdout) || ferror(stdout);
    if (!lost || code != ELM_EXIT_SUCCESS)
        return code;
    fprintf(stderr,
            "%s: error: cannot write to standard output (%s): let its reader read to the end, or "
            "make room\n",
            program, strerror(errno ? errno : lost_cause));
    return ELM_EXIT_FAILURE;
}
