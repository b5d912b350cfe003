#include "ranks.h"

#include "base/cpu/affinity.h"
#include "elmpi/log.h"

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

int elm_ranks_main(const char *program, int argc, char **argv,
                   int (*run_all)(int argc, char **argv, elm_comm *comm))
{
    elm_error err = {0};
    elm_comm *comm = NULL;
    elm_program self;
    int code;
    elm_affinity_reload(argv);
    if (elm_program_begin(&self, program, &err) != 0 ||
        elm_ranks_join_all(&self, &comm, &argc, &argv, &err) != 0 ||
        elm_comm_agree_all(comm, elm_watchdog_enter(self.watch, "work", &err), &err) != 0) {
        elm_log_error(&(elm_log){.program = program}, "%s", err.text);
        code = err.code;
    } else {
        code = run_all(argc, argv, comm);
    }
    elm_ranks_leave_all(&self, comm);
    return elm_program_end(&self, code);
}
