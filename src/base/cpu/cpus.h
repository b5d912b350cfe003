/* CPUs: sets of a node's logical CPUs as plain values, and how the ranks of a node divide one.
 * Nothing here asks the system. */
#ifndef ELMPI_BASE_CPU_CPUS_H
#define ELMPI_BASE_CPU_CPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ELM_CPUS_MAX = 1024, ELM_CPUS_TEXT = 512 };

/** A set of CPU numbers below ELM_CPUS_MAX. {0} is the empty set. */
typedef struct elm_cpus {
    uint64_t bits[ELM_CPUS_MAX / 64];
} elm_cpus;

/** For each CPU the socket it is on and the lowest CPU number of its core: hyperthreads of a
 * core have the same. */
typedef struct elm_topology {
    int socket[ELM_CPUS_MAX], core[ELM_CPUS_MAX];
} elm_topology;

void elm_cpus_add(elm_cpus *set, int cpu);
bool elm_cpus_has(const elm_cpus *set, int cpu);
int elm_cpus_count(const elm_cpus *set);
bool elm_cpus_equal(const elm_cpus *a, const elm_cpus *b);
bool elm_cpus_contains(const elm_cpus *set, const elm_cpus *part);
elm_cpus elm_cpus_intersection(const elm_cpus *a, const elm_cpus *b);
elm_cpus elm_cpus_union(const elm_cpus *a, const elm_cpus *b);

/** Reads the kernel's notation, "0-3,8". False where it is none, or names a CPU that a set
 * cannot hold. */
bool elm_cpus_parse(elm_cpus *set, const char *text);
/** Writes that notation; what does not fit ends with "...". "none" for the empty set. */
void elm_cpus_print(const elm_cpus *set, char *text, size_t size_bytes);

/** The part of `set` that the sharer number `place` of `sharers` has when they divide it:
 * consecutive, disjoint, sizes that differ by one at most. Whole cores with all their
 * hyperthreads while there are enough cores, else single CPUs; sockets one after the other. With
 * more sharers than CPUs every rank has the whole set. */
elm_cpus elm_cpus_share(const elm_cpus *set, const elm_topology *topology, int sharers, int place);

/** What is done about the CPUs of a node's ranks. */
typedef enum elm_cpus_plan {
    ELM_CPUS_KEPT,    /* every rank stays where the launcher put it: that is its fair share */
    ELM_CPUS_DIVIDED, /* the ranks divide what they may use */
    ELM_CPUS_CROWDED, /* more ranks than CPUs: they stay where they are */
} elm_cpus_plan;

/** Decides where the `ranks` ranks of a node run, in rank order. A rank's ceiling is where it may
 * run. When any rank has fewer CPUs than a fair share of all ceilings together, or one that is not
 * in its ceiling, or ranks overlap, they divide all of it anew; ranks with equal masks that nobody
 * else has a part of divide this mask.
 *  Shape:  own, ceilings, shares [ranks]; no rank's share leaves its ceiling
 *  Ranks:  local; the same result everywhere given the same masks */
elm_cpus_plan elm_cpus_divide(const elm_cpus *own, const elm_cpus *ceilings, int ranks,
                              const elm_topology *topology, elm_cpus *shares);

#endif
