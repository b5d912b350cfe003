#include "ranks.h"

#include <stdio.h>

#include "elmpi/log.h"
#include "elmpi/shared_memory.h"

/* Memory that jobs which were killed have left on this host. */
static void tell_left_memory(const elm_log *log)
{
    char command[2048];
    size_t bytes;
    const int left = elm_shared_memory_find_left("/dev/shm", command, sizeof command, &bytes);
    if (left > 0)
        elm_log_warn(
            log, "%d shared-memory segment%s of jobs that were killed hold%s %.1f MB of this host's memory, and no process uses them: %s",
            left, left > 1 ? "s" : "", left > 1 ? "" : "s", 1e-6 * (double)bytes, command);
}

int elm_ranks_join_all(const elm_program *program, elm_comm **comm, int *argc, char ***argv, elm_error *err)
{
    const elm_log log = {.program = program->name};
    if (elm_watch_enter_with(program->watch, "mpi-init", "waiting for all ranks to start", err) != 0 ||
        elm_comm_start_all(comm, argc, argv, err) != 0)
        return -1;
    elm_comm_set_watch(*comm, program->watch);
    if (elm_comm_rank(*comm) == 0)
        tell_left_memory(&log);
    return 0;
}

void elm_ranks_leave_all(const elm_program *program, elm_comm *comm)
{
    if (comm == NULL)
        return;
    elm_watch_enter(program->watch, "finish", NULL);
    elm_comm_finish_all(comm);
}
