/* What a run computes with: threads, kernels, libraries. */
#include <stdio.h>

#include "base/cpu/cpu.h"
#include "base/cpu/threads.h"
#include "train/run/run.h"

int elm_run_threads(const elm_run *run)
{
    return elm_threads_resolve((int)run->options.run.threads, elm_comm_core_sharers(run->comm));
}

void elm_run_describe(const elm_run *run, char *text, size_t size)
{
    char network[512], mpi[256];
    const int threads = elm_run_threads(run);
    elm_net_describe(elm_trainer_net(run->trainer), network, sizeof network);
    elm_comm_describe(run->comm, mpi, sizeof mpi);
    snprintf(text, size, "%d thread%s a rank, kernels for %s, %s, %s", threads,
             threads > 1 ? "s" : "", elm_isa_names[elm_cpu_isa()], network, mpi);
}
