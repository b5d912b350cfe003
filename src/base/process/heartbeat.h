/* Heartbeat: a small file of a rank in the run folder. Its content changes each time that the
 * rank writes it: that it changes, not its date, shows that the rank is alive, since no two
 * machines need agree on the time. */
#ifndef ELMPI_BASE_PROCESS_HEARTBEAT_H
#define ELMPI_BASE_PROCESS_HEARTBEAT_H

#include <stdbool.h>

enum { ELM_HEARTBEAT_SIZE = 256 };

typedef struct elm_heartbeat {
    bool known;
    long long step, count; /* count: heartbeats so far */
    char phase[32], host[64];
    double stayed; /* seconds in the phase when it was written, by the writer's own clock */
    double every;  /* seconds between two */
} elm_heartbeat;

/** path [ELM_PATH_SIZE] of a rank's heartbeat. */
void elm_heartbeat_path(const char *folder, int run, int rank, char *path);

/** Writes it, with host and process of the caller. `flags`: more for open, such as O_CREAT.
 * Whether it was written. */
bool elm_heartbeat_write(const char *path, int flags, const elm_heartbeat *beat);

/** .known is false where there is none. */
elm_heartbeat elm_heartbeat_read(const char *path);

/** Whether two were written at different times. */
bool elm_heartbeat_differs(const elm_heartbeat *a, const elm_heartbeat *b);

#endif
