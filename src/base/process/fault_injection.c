#include "base/process/fault_injection.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static int by_kill(elm_error *err)
{
    (void)err;
    return raise(SIGKILL);
}

static int by_stop(elm_error *err)
{
    (void)err;
    return raise(SIGSTOP); /* goes on after SIGCONT */
}

static int by_exit(elm_error *err)
{
    (void)err;
    exit(3); /* as a library that gives up would */
}

static int by_error(elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_FAILURE, "failed on purpose (ELMPI_FAULT): unset it");
}

/* The address space ends here, and what the heap still holds goes: all who ask for memory from
 * now on get none. */
static int by_memory(elm_error *err)
{
    (void)err;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &pages) != 1)
        pages = 1;
    if (file)
        fclose(file);
    const rlim_t bytes = (rlim_t)pages * 4096;
    setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
    for (size_t size = (size_t)1 << 30; size >= 64; size /= 2)
        while (malloc(size)) /* NOLINT(clang-analyzer-unix.Malloc): lost on purpose */
            ;
    return 0;
}

static const struct {
    const char *name, *what;
    int (*strike)(elm_error *err);
} kinds[] = {
    {"kill", "is killed", by_kill},
    {"exit", "exits", by_exit},
    {"error", "returns an error", by_error},
    {"stop", "is stopped", by_stop},
    {"memory", "has no memory left", by_memory},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

/* Those of elm_watchdog_enter, in a run's order. Every program has launch, every one but
 * elmpi-train work, those with ranks mpi-init before it and finish after it. */
static const char *const phases[] = {"launch",
                                     "work",
                                     "mpi-init",
                                     "job",
                                     "start",
                                     "data",
                                     "network",
                                     "restore",
                                     "input",
                                     "forward",
                                     "gather",
                                     "classify",
                                     "loss",
                                     "backward",
                                     "allreduce",
                                     "update",
                                     "metrics",
                                     "checkpoint",
                                     "checkpoint-write",
                                     "checkpoint-rename",
                                     "checkpoint-link",
                                     "evaluation",
                                     "finish"};
enum { PHASES = sizeof phases / sizeof *phases };

static bool is_phase(const char *name)
{
    for (int p = 0; p < PHASES; p++)
        if (strcmp(name, phases[p]) == 0)
            return true;
    return false;
}

static int refuse_phase(const char *name, elm_error *err)
{
    char list[400] = "";
    for (int p = 0; p < PHASES; p++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", p > 0 ? ", " : "",
                 phases[p]);
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "no phase of a run: %s (ELMPI_FAULT): choose one of %s", name, list);
}

static int refuse(const char *text, elm_error *err)
{
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "no fault that can be planned: %s (ELMPI_FAULT): write "
                         "<kind>@<phase>[:rank=<r>][:step=<n>] with kill, exit, error, "
                         "stop or memory, or unset it",
                         text);
}

int elm_fault_parse(elm_fault *fault, const char *text, elm_error *err)
{
    *fault = (elm_fault){.kind = -1, .step = -1};
    if (!text || !*text)
        return 0;
    char kind[16];
    int used = 0;
    if (sscanf(text, "%15[a-z]@%31[a-z-]%n", kind, fault->phase, &used) != 2)
        return refuse(text, err);
    for (const char *rest = text + used; *rest; rest += used) {
        long long value = -1;
        char name[8];
        if (sscanf(rest, ":%7[a-z]=%lld%n", name, &value, &used) != 2 || value < 0 ||
            value > 1 << 30)
            return refuse(text, err);
        if (!strcmp(name, "rank"))
            fault->rank = (int)value;
        else if (!strcmp(name, "step"))
            fault->step = value;
        else
            return refuse(text, err);
    }
    for (int k = 0; k < KINDS; k++)
        if (!strcmp(kind, kinds[k].name))
            fault->kind = k;
    if (fault->kind < 0)
        return refuse(text, err);
    return is_phase(fault->phase) ? 0 : refuse_phase(fault->phase, err);
}

bool elm_fault_is_due(const elm_fault *fault, const char *phase, int rank, int64_t step)
{
    return fault->kind >= 0 && rank == fault->rank && (fault->step < 0 || step == fault->step) &&
           !strcmp(phase, fault->phase);
}

void elm_fault_tell_unused(const elm_fault *fault, int rank, int size)
{
    if (fault->kind < 0 || rank != (fault->rank < size ? fault->rank : 0))
        return;
    char step[32] = "";
    if (fault->step >= 0)
        snprintf(step, sizeof step, " of step %lld", (long long)fault->step);
    fprintf(stderr, "elmpi: fault injection: nothing was done: there was no rank %d in %s%s\n",
            fault->rank, fault->phase, step);
}

int elm_fault_strike(elm_fault *fault, elm_error *err)
{
    const int kind = fault->kind;
    fault->kind = -1;
    fprintf(stderr, "elmpi: fault injection: rank %d %s in %s\n", fault->rank, kinds[kind].what,
            fault->phase);
    return kinds[kind].strike(err);
}
