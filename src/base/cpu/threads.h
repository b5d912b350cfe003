/* Threads: how many a rank should use. */
#ifndef ELMPI_BASE_CPU_THREADS_H
#define ELMPI_BASE_CPU_THREADS_H

#include <stddef.h>

/** Threads for this rank: `asked` if positive, else OMP_NUM_THREADS if set, else the cores of
 * the affinity mask, divided among the `sharers`: the ranks of this host that have the same
 * mask. At least 1. */
int elm_threads_resolve(int asked, int sharers);

/** Cores this process may run on, and cores of the host. */
int elm_threads_allowed(void);
int elm_threads_online(void);

/** The affinity mask as bytes, to be compared with another process's; all zero where the system
 * does not tell. */
void elm_threads_mask(unsigned char *mask, size_t size_bytes);

#endif
