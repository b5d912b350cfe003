/* Ranks: a program among its like under mpirun or srun. */
#ifndef ELMPI_TOOLS_RANKS_H
#define ELMPI_TOOLS_RANKS_H

#include "elmpi/comm.h"
#include "program.h"

/** Starts MPI, under the watchdog's eyes: whoever waits there for a rank that never comes says so
 * and ends.
 *  Errors: local ones; MPI's own end the job */
int elm_ranks_join_all(const elm_program *program, elm_comm **comm, int *argc, char ***argv,
                       elm_error *err);

/** Ends MPI, likewise. Accepts a NULL comm. */
void elm_ranks_leave_all(const elm_program *program, elm_comm *comm);

/** The whole main of a program whose work is one collective function: run_all returns the exit
 * status, and is called only where every rank has joined. Returns the process's exit status. */
int elm_ranks_main(const char *program, int argc, char **argv,
                   int (*run_all)(int argc, char **argv, elm_comm *comm));

#endif
