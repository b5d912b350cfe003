#include "elmpi/ticker.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/process/clock.h"
#include "elmpi/memory.h"

enum { MINUTE = 60 };

struct elm_ticker {
    const elm_log *log;
    double seconds;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool stopping, working;
    char what[128];
    int64_t total, done;
    double begun, due; /* elm_clock_seconds */
};

double elm_ticker_seconds(void)
{
    const char *text = getenv("ELMPI_PROGRESS_SECONDS");
    const double seconds = text ? strtod(text, NULL) : 0;
    return seconds > 0 ? seconds : MINUTE;
}

static void say(const elm_ticker *t, double now)
{
    const long passed = (long)(now - t->begun);
    if (t->total > 0)
        elm_log_info(t->log, "%s: %lld of %lld (%.0f%%) after %ld:%02ld min", t->what,
                     (long long)t->done, (long long)t->total,
                     100.0 * (double)t->done / (double)t->total, passed / MINUTE, passed % MINUTE);
    else
        elm_log_info(t->log, "%s: at work for %ld:%02ld min", t->what, passed / MINUTE,
                     passed % MINUTE);
}

static void *run(void *context)
{
    elm_ticker *t = context;
    pthread_mutex_lock(&t->mutex);
    while (!t->stopping) {
        const double left = t->working ? t->due - elm_clock_seconds() : MINUTE;
        if (t->working && left <= 0) {
            const double now = elm_clock_seconds();
            say(t, now);
            t->due = now + t->seconds;
            continue;
        }
        const struct timespec until = elm_clock_after(left);
        pthread_cond_timedwait(&t->changed, &t->mutex, &until);
    }
    pthread_mutex_unlock(&t->mutex);
    return NULL;
}

int elm_ticker_create(elm_ticker **out, const elm_log *log, double seconds, elm_error *err)
{
    elm_ticker *t = elm_alloc(1, sizeof *t, err);
    *out = NULL;
    if (!t)
        return -1;
    t->log = log;
    t->seconds = seconds;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const bool started = pthread_create(&t->thread, NULL, run, t) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (started) {
        *out = t;
        return 0;
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    elm_free(t);
    return elm_error_set(
        err, ELM_EXIT_FAILURE,
        "cannot start a thread (progress): raise the limit of processes (ulimit -u)");
}

void elm_ticker_destroy(elm_ticker *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    elm_free(t);
}

void elm_ticker_begin(elm_ticker *t, const char *what, int64_t total)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    snprintf(t->what, sizeof t->what, "%s", what);
    t->total = total;
    t->done = 0;
    t->begun = elm_clock_seconds();
    t->due = t->begun + t->seconds;
    t->working = true;
    pthread_cond_signal(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

void elm_ticker_advance(elm_ticker *t, int64_t done)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->done = done;
    pthread_mutex_unlock(&t->mutex);
}

void elm_ticker_end(elm_ticker *t)
{
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->working = false;
    pthread_mutex_unlock(&t->mutex);
}
