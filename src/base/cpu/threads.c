#define _GNU_SOURCE /* sched_getaffinity */
#include "base/cpu/threads.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int elm_threads_online(void)
{
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

int elm_threads_allowed(void)
{
    cpu_set_t mask;
    return sched_getaffinity(0, sizeof mask, &mask) ? elm_threads_online() : CPU_COUNT(&mask);
}

void elm_threads_mask(unsigned char *mask, size_t size_bytes)
{
    cpu_set_t set;
    memset(mask, 0, size_bytes);
    if (!sched_getaffinity(0, sizeof set, &set))
        memcpy(mask, &set, size_bytes < sizeof set ? size_bytes : sizeof set);
}

int elm_threads_resolve(int asked, int sharers)
{
    const char *environment = getenv("OMP_NUM_THREADS");
    if (asked > 0)
        return asked;
    if (environment && atoi(environment) > 0)
        return atoi(environment);
    const int threads = elm_threads_allowed() / (sharers > 0 ? sharers : 1);
    return threads > 0 ? threads : 1;
}
