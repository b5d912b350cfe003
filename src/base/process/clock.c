#include "base/process/clock.h"

#include <math.h>

enum { NANOSECONDS = 1000000000 };

double elm_clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

struct timespec elm_clock_after(double seconds)
{
    struct timespec until;
    const double whole = floor(seconds);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)whole;
    until.tv_nsec += (long)(NANOSECONDS * (seconds - whole));
    until.tv_sec += until.tv_nsec / NANOSECONDS;
    until.tv_nsec %= NANOSECONDS;
    return until;
}
