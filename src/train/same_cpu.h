/* Same CPU: ranks whose CPUs, or whose libraries' choices for them, differ would compute with
 * different arithmetic. */
#ifndef ELMPI_TRAIN_SAME_CPU_H
#define ELMPI_TRAIN_SAME_CPU_H

#include "elmpi/comm.h"

/** Chooses the kernels' instruction set on every rank (ELMPI_ISA) and refuses to go on unless
 * elmpi's kernels, the libraries and the C library's mathematics compute for the same kind of CPU
 * everywhere. The error names the kinds with ranks and hosts, and the variables that bring all to a
 * common one.
 *  Ranks:  collective, before anything is computed */
int elm_cpu_same_all(elm_comm *comm, elm_error *err);

#endif
