/* Clock: seconds that only go forward, for durations and time limits. */
#ifndef ELMPI_BASE_PROCESS_CLOCK_H
#define ELMPI_BASE_PROCESS_CLOCK_H

#include <time.h>

/** Seconds since some point in the past of this host; changes of the date leave it alone. */
double elm_clock_seconds(void);

/** The moment so many seconds from now, as pthread_cond_timedwait takes it where the condition
 * waits by CLOCK_MONOTONIC. */
struct timespec elm_clock_after(double seconds);

#endif
