/* Timeline: what a rank did when, layer by layer and message by message, for benchmarks. Whoever
 * can record takes a pointer that is usually NULL; then nothing is recorded and no clock is
 * read. */
#ifndef ELMPI_TIMELINE_H
#define ELMPI_TIMELINE_H

#include "elmpi/status.h"

/* what the rank's main thread does; what is under way meanwhile */
enum { ELM_TRACK_WORK, ELM_TRACK_MESSAGES };

typedef struct elm_event {
    int track;
    const char *name, *part; /* static texts: "conv", "forward" */
    double begin, end;       /* of elm_timeline_now */
    double flops, bytes;     /* arithmetic done, memory moved at least; 0: unknown */
} elm_event;

typedef struct elm_timeline elm_timeline;

/** Room for `capacity` events. Local, one thread. */
int elm_timeline_create(elm_timeline **timeline, int capacity, elm_error *err);
void elm_timeline_destroy(elm_timeline *timeline);

/** Seconds on the host's clock that only goes forward, which all its processes share; 0 without
 * a timeline. */
double elm_timeline_now(const elm_timeline *timeline);

/** Events beyond the capacity are counted and dropped. Allocates nothing; NULL is accepted. */
void elm_timeline_add(elm_timeline *timeline, elm_event event);

/** The events so far, in the order of their ends; `dropped` did not fit. */
const elm_event *elm_timeline_events(const elm_timeline *timeline, int *count, int *dropped);
void elm_timeline_clear(elm_timeline *timeline);

#endif
