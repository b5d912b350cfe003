#include "ranks.h"

int elm_ranks_join_all(const elm_program *program, elm_comm **comm, int *argc, char ***argv,
                       elm_error *err)
{
    if (elm_watchdog_enter_with(program->watch, "mpi-init", "waiting for all ranks to start",
                                err) != 0 ||
        elm_comm_start_all(comm, argc, argv, err) != 0)
        return -1;
    elm_comm_set_watch(*comm, program->watch);
    return 0;
}

void elm_ranks_leave_all(const elm_program *program, elm_comm *comm)
{
    if (comm == NULL)
        return;
    elm_watchdog_enter(program->watch, "finish", NULL);
    elm_comm_finish_all(comm);
}
