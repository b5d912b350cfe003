/* Binding: the ranks of a node divide its cores, whatever the launcher did.
 *
 * Open MPI binds each rank to one core by default, so that the threads of a rank share it and
 * most cores of a node stay idle. */
#ifndef ELMPI_COMM_BINDING_H
#define ELMPI_COMM_BINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "elmpi/comm.h"

/** How the cores of a rank are chosen: run.binding, in the order of its choices. */
enum { ELM_BINDING_AUTO, ELM_BINDING_LAUNCHER };
#define ELM_BINDING_CHOICES "auto|launcher"

enum { ELM_BINDING_TEXT = 640 };

/** Puts this rank and its threads on its share of the node's cores (elm_cpus_divide), sets the
 * number of OpenMP threads, and says in one line what was done on this rank's node. Before the
 * first parallel region that matters: threads started later inherit the mask. ELM_BINDING_LAUNCHER
 * leaves the masks as they are. `threads` as in elm_threads_resolve.
 *  Ranks:  collective, with the same `binding`; elm_comm_core_sharers counts anew */
void elm_binding_apply_all(elm_comm *comm, int binding, int threads, char text[ELM_BINDING_TEXT]);

#endif
