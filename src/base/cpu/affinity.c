#define _GNU_SOURCE /* sched_setaffinity */

#include "base/cpu/affinity.h"

#include <dirent.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Processes whose children are ranks, by the first 15 letters of their names as the kernel keeps
 * them. */
static const char *const launchers[] = {
    "orted", "mpirun", "mpiexec", "orterun", /* Open MPI to 4.1 */
    "prted", "prterun", "prte", "prun",      /* Open MPI 5 */
    /* MPICH, Intel MPI */
    "hydra_pmi_proxy", "hydra_bstrap_pr", "pmi_proxy", "mpiexec.hydra", "slurmstepd", "palsd",
    "pals_rank_", "apinit", NULL, /* Slurm, Cray */
};

enum { ANCESTORS_MAX = 32, PATH_SIZE = 96 };

static elm_cpus from_system(const cpu_set_t *set)
{
    elm_cpus cpus = {0};
    for (int cpu = 0; cpu < ELM_CPUS_MAX && cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, set))
            elm_cpus_add(&cpus, cpu);
    return cpus;
}

static cpu_set_t to_system(const elm_cpus *cpus)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int cpu = 0; cpu < ELM_CPUS_MAX && cpu < CPU_SETSIZE; cpu++)
        if (elm_cpus_has(cpus, cpu))
            CPU_SET(cpu, &set);
    return set;
}

/* The cgroup's set, of either version and in any container, without reading their files: the
 * kernel cuts a mask down to it. */
static elm_cpus probe_cpuset(const cpu_set_t *own)
{
    cpu_set_t all, allowed;
    memset(&all, 0xff, sizeof all);
    if (sched_setaffinity(0, sizeof all, &all) || sched_getaffinity(0, sizeof allowed, &allowed))
        allowed = *own;
    sched_setaffinity(0, sizeof *own, own);
    return from_system(&allowed);
}

/* Name and parent of a process: "PID (NAME) STATE PARENT ...", where the name may hold anything. */
static bool read_process(pid_t pid, char name[32], pid_t *parent)
{
    char path[PATH_SIZE], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    const size_t size = file ? fread(line, 1, sizeof line - 1, file) : 0;
    if (file)
        fclose(file);
    line[size] = 0;
    const char *open = strchr(line, '('), *close = strrchr(line, ')');
    if (!open || !close || close < open || sscanf(close + 1, " %*c %d", parent) != 1)
        return false;
    snprintf(name, 32, "%.*s", (int)(close - open - 1), open + 1);
    return true;
}

/* The nearest ancestor that starts ranks; 0: none. */
static pid_t find_launcher(char name[32])
{
    pid_t pid = getppid(), parent;
    for (int i = 0; i < ANCESTORS_MAX && pid > 0 && read_process(pid, name, &parent);
         i++, pid = parent)
        for (int l = 0; launchers[l]; l++)
            if (!strcmp(name, launchers[l]))
                return pid;
    return 0;
}

/* A node has its CPUs counted as hyperthreads or as cores; less than either is a part of it. */
static bool slurm_gave_a_part(const elm_affinity_facts *f)
{
    return f->slurm_cpus > 0 && f->slurm_cpus < f->online_cores;
}

elm_cpus elm_affinity_ceiling(const elm_affinity_facts *f)
{
    if (!f->has_launcher ||
        (f->launched_by_srun && f->cpu_bind && *f->cpu_bind && strncmp(f->cpu_bind, "none", 4)))
        return f->own;
    /* slurmd may have cores of its own, where no task runs. */
    if (f->launched_by_srun && !elm_cpus_contains(&f->launcher, &f->own))
        return f->own;
    /* Numbers that are not the system's: it is unknown which CPUs are meant. */
    if (f->has_chosen && !elm_cpus_contains(&f->chosen, &f->own))
        return f->own;
    elm_cpus allowed = elm_cpus_intersection(&f->launcher, &f->cpuset);
    if (f->has_chosen)
        allowed = elm_cpus_intersection(&allowed, &f->chosen);
    if (elm_cpus_count(&allowed) == 0 ||
        (elm_cpus_contains(&allowed, &f->online) && slurm_gave_a_part(f)))
        return f->own;
    return allowed;
}

/* CPUs that the user named to the launcher: --cpu-set of Open MPI 4.1, and the same of 5. False:
 * none, or not as numbers. */
static bool read_chosen(elm_cpus *chosen)
{
    static const char *const names[] = {"OMPI_MCA_hwloc_base_cpu_set",
                                        "OMPI_MCA_hwloc_base_cpu_list",
                                        "PRTE_MCA_hwloc_default_cpu_list"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text && *text && elm_cpus_parse(chosen, text))
            return true;
    }
    return false;
}

static int read_number(const char *format, int cpu, int otherwise)
{
    char path[PATH_SIZE];
    int value;
    snprintf(path, sizeof path, format, cpu); /* NOLINT(clang-diagnostic-format-nonliteral) */
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%d", &value) != 1)
        value = otherwise;
    if (file)
        fclose(file);
    return value;
}

void elm_affinity_topology(elm_topology *topology)
{
    for (int cpu = 0; cpu < ELM_CPUS_MAX; cpu++) {
        topology->core[cpu] = cpu;
        topology->socket[cpu] = 0;
    }
    const long configured = sysconf(_SC_NPROCESSORS_CONF);
    for (int cpu = 0; cpu < ELM_CPUS_MAX && cpu < configured; cpu++) {
        /* The list of siblings begins with the lowest. */
        topology->core[cpu] =
            read_number("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu, cpu);
        topology->socket[cpu] =
            read_number("/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu, 0);
    }
}

static void read_node(elm_affinity_facts *facts)
{
    char line[4096] = "";
    FILE *file = fopen("/sys/devices/system/cpu/online", "r");
    if (file && !fgets(line, sizeof line, file))
        *line = 0;
    if (file)
        fclose(file);
    if (!*line || !elm_cpus_parse(&facts->online, line))
        facts->online = facts->cpuset;
    elm_topology topology;
    elm_affinity_topology(&topology);
    for (int cpu = 0; cpu < ELM_CPUS_MAX; cpu++)
        facts->online_cores += elm_cpus_has(&facts->online, cpu) && topology.core[cpu] == cpu;
}

void elm_affinity_read(elm_affinity *affinity)
{
    cpu_set_t own, launcher;
    char name[32];
    *affinity = (elm_affinity){.has_launcher = false};
    if (sched_getaffinity(0, sizeof own, &own))
        return;
    const pid_t pid = find_launcher(name);
    const char *slurm_cpus = getenv("SLURM_CPUS_ON_NODE");
    elm_affinity_facts facts = {.own = from_system(&own),
                                .cpu_bind = getenv("SLURM_CPU_BIND_TYPE")};
    facts.cpuset = probe_cpuset(&own);
    facts.slurm_cpus = slurm_cpus ? atoi(slurm_cpus) : 0;
    facts.has_launcher = pid > 0 && !sched_getaffinity(pid, sizeof launcher, &launcher);
    facts.launched_by_srun = facts.has_launcher && !strcmp(name, "slurmstepd");
    if (facts.has_launcher)
        facts.launcher = from_system(&launcher);
    facts.has_chosen = read_chosen(&facts.chosen);
    read_node(&facts);
    affinity->own = facts.own;
    affinity->has_launcher = facts.has_launcher;
    affinity->ceiling = elm_affinity_ceiling(&facts);
}

int elm_affinity_set(const elm_cpus *cpus)
{
    const cpu_set_t set = to_system(cpus);
    int status = sched_setaffinity(0, sizeof set, &set) ? -1 : 0;
    DIR *tasks = opendir("/proc/self/task");
    for (const struct dirent *task; !status && tasks && (task = readdir(tasks));) {
        const pid_t thread = (pid_t)atoi(task->d_name);
        if (thread > 0)
            sched_setaffinity(thread, sizeof set, &set); /* one that has just ended is no loss */
    }
    if (tasks)
        closedir(tasks);
    return status;
}

/* The mask that a pinned process had before it was loaded again. */
static const char *const pinned_variable = "ELMPI_PINNED_CPUS";

static void pin_again(const char *text)
{
    elm_cpus pinned;
    if (elm_cpus_parse(&pinned, text))
        elm_affinity_set(&pinned);
    unsetenv(pinned_variable);
}

void elm_affinity_reload(char **argv)
{
    char text[4096], program[4096]; /* by its own name, not /proc/self/exe: ps and pgrep show it */
    elm_affinity affinity;
    const char *pinned = getenv(pinned_variable);
    if (pinned) {
        pin_again(pinned);
        return;
    }
    elm_affinity_read(&affinity);
    if (elm_cpus_count(&affinity.own) >= elm_cpus_count(&affinity.ceiling))
        return;
    elm_cpus_print(&affinity.own, text, sizeof text);
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length > 0 && setenv(pinned_variable, text, 1) == 0) {
        program[length] = 0;
        elm_affinity_set(&affinity.ceiling);
        execv(program, argv);
        pin_again(text); /* replaced on disk, no memory: the threads are slower, nothing else */
    }
}

static bool openmp_has_places(void)
{
    const char *bind = getenv("OMP_PROC_BIND");
    return getenv("OMP_PLACES") || getenv("GOMP_CPU_AFFINITY") ||
           (bind && strcasecmp(bind, "false"));
}

void elm_affinity_settle_team(const elm_cpus *cpus, int threads)
{
    if (!openmp_has_places())
        return;
    int started = 0;
#pragma omp parallel num_threads(threads) reduction(+ : started)
    started += 1; /* the team stays, so that later regions find their threads moved */
    if (started > 0)
        elm_affinity_set(cpus);
}
