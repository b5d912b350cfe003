#define _GNU_SOURCE /* sched_getaffinity */
#include "elmpi/threads.h"

#include <sched.h>
#include <stdlib.h>
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

int elm_threads_resolve(int asked, int local_ranks)
{
    const char *environment = getenv("OMP_NUM_THREADS");
    if (asked > 0)
        return asked;
    if (environment && atoi(environment) > 0)
        return atoi(environment);
    const int allowed = elm_threads_allowed();
    const int threads = allowed < elm_threads_online() ? allowed : allowed / (local_ranks > 0 ? local_ranks : 1);
    return threads > 0 ? threads : 1;
}
