/* Threads: how many a rank should use. */
#ifndef ELMPI_THREADS_H
#define ELMPI_THREADS_H

/** Threads for this rank: `asked` if positive, else OMP_NUM_THREADS if set, else the cores of the affinity mask; ranks of one host that
 * share all its cores (mpirun --bind-to none) divide them among themselves. At least 1. */
int elm_threads_resolve(int asked, int local_ranks);

/** Cores this process may run on, and cores of the host. */
int elm_threads_allowed(void);
int elm_threads_online(void);

#endif
