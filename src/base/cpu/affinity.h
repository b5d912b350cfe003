/* Affinity: which CPUs this process runs on, which it may run on, and moving all of its threads. */
#ifndef ELMPI_BASE_CPU_AFFINITY_H
#define ELMPI_BASE_CPU_AFFINITY_H

#include <stdbool.h>

#include "base/cpu/cpus.h"

/** What is known about this process's CPUs. */
typedef struct elm_affinity {
    elm_cpus own; /* its mask; empty where the system does not tell */
    /* where it may run; Open MPI 4.1 puts ranks outside of a mask that mpirun was given */
    elm_cpus ceiling;
    bool has_launcher;
} elm_affinity;

/** What the environment of a process says, apart from reading it: so that the rule can be
 * tested. */
typedef struct elm_affinity_facts {
    elm_cpus own;
    elm_cpus cpuset;   /* of its cgroup */
    elm_cpus launcher; /* mask of the launcher's process */
    elm_cpus chosen;   /* that the user named to the launcher (mpirun --cpu-set) */
    bool has_chosen;
    elm_cpus online;       /* of the node */
    int online_cores;      /* whole cores among these */
    bool has_launcher;     /* a process that starts ranks is among its ancestors */
    bool launched_by_srun; /* it is Slurm's */
    const char *cpu_bind;  /* SLURM_CPU_BIND_TYPE, or NULL */
    int slurm_cpus;        /* SLURM_CPUS_ON_NODE; 0: no job of Slurm's */
} elm_affinity_facts;

/** The ceiling: the mask that the launcher itself has, since a user's own choice (taskset or
 * numactl before mpirun, a batch system's set, --cpu-set) holds for the launcher too, while what
 * the launcher chose for a rank does not. Never beyond the cgroup's set. The process's own mask
 * where there is no launcher; where srun bound the task (task/affinity); and where Slurm gave
 * the job a part of the node without confining it, as it is then unknown which part. */
elm_cpus elm_affinity_ceiling(const elm_affinity_facts *facts);

/** Reads it all from the system. */
void elm_affinity_read(elm_affinity *affinity);
void elm_affinity_topology(elm_topology *topology);

/** Loads the program once more where the launcher pinned it to fewer CPUs than its ceiling has;
 * returns at once everywhere else, and in the second life with the mask of the first. libgomp
 * counts the CPUs when it is loaded, and a team of more threads than that gives up the CPU at
 * every barrier: 11 % of a ResNet-32 step on 2 cores. First thing in main, before any thread.
 * `argv`: main's. */
void elm_affinity_reload(char **argv);

/** Moves every thread of this process, and with them the ones that they will start. 0, or -1
 * where the system refuses. `threads` is how many the next parallel regions have: where
 * OMP_PROC_BIND or the like has made OpenMP choose places when the program was loaded, they are
 * started here and moved too. */
int elm_affinity_set(const elm_cpus *cpus);
void elm_affinity_settle_team(const elm_cpus *cpus, int threads);

#endif
