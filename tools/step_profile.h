/* Step profile: where the steps of a benchmark spend their time, layer kind by layer kind,
 * against what the machine can do; and the same as a file for trace viewers. */
#ifndef ELMPI_STEP_PROFILE_H
#define ELMPI_STEP_PROFILE_H

#include "elmpi/comm.h"
#include "elmpi/timeline.h"

enum { ELM_PROFILE_ROWS = 32, ELM_PROFILE_EVENTS = 1 << 14 };

/** All passes of one kind over the layers of one kind: "conv data". */
typedef struct elm_profile_row {
    const char *name, *part;
    int track;
    double seconds, flops, bytes; /* of all steps so far */
} elm_profile_row;

typedef struct elm_profile {
    elm_profile_row rows[ELM_PROFILE_ROWS];
    int count, steps;
} elm_profile;

/** What the figures are held against, of all ranks together. */
typedef struct elm_profile_peaks {
    double gflops, gbytes_per_s;
} elm_profile_peaks;

/** Adds a step's events. A step's phases, which hold layers, are left out: they are told apart. */
void elm_profile_add(elm_profile *profile, const elm_timeline *timeline);

/** The highest rate of a row, times `ranks`: no peak is lower. */
double elm_profile_gflops(const elm_profile *profile, int ranks);

/** The rows as a table: time a step, its share of `step_seconds`, what was reached of the peak
 * that limits it (a rank's own figures times `ranks`). */
void elm_profile_print(const elm_profile *profile, double step_seconds, int ranks,
                       elm_profile_peaks peaks);
/** The same as the members of a JSON object, seconds a step. */
void elm_profile_print_json(const elm_profile *profile);

/** Writes every rank's events as a Chrome trace, which Perfetto and chrome://tracing open: a
 * process a rank, messages on a track of their own. `origin` is what counts as 0.
 *  Ranks:  collective; rank 0 writes
 *  Errors: -1, agreed by all ranks */
int elm_profile_write_trace_all(elm_comm *comm, const elm_timeline *timeline, double origin,
                                const char *path, elm_error *err);

#endif
