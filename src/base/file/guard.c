#include "base/file/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file/io.h"

extern char **environ;

/* argv[1] of the second process: an emulator (qemu) puts a name of its own into argv[0] */
static const char guard_name[] = "elmpi-guard";
/* in the environment of the second process, which must not start a third */
static const char second_variable[] = "ELMPI_GUARD_SECOND";
enum {
    WORDS = 4,
    REFUSED = 10 /* exit status: the text is on stdout */,
    MEMORY_BASE = 1 << 30,
    MEMORY_TIMES = 4,
    SECONDS_BASE = 60
};

/* --- the second process --- */

static void limit(int what, uint64_t most)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) != 0)
        return;
    if (now.rlim_max == RLIM_INFINITY || now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    setrlimit((__rlimit_resource_t)what, &now);
}

/* What the libraries have taken already, such as OpenBLAS's buffers for each core, is not the
 * file's. */
static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu", &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void limit_all(const char *path)
{
    struct stat about;
    const uint64_t bytes =
        stat(path, &about) == 0 && about.st_size > 0 ? (uint64_t)about.st_size : 0;
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, SECONDS_BASE + (bytes >> 20));
#if !defined(__SANITIZE_ADDRESS__) &&                                                              \
    !defined(__SANITIZE_THREAD__) /* their shadows want terabytes of addresses */
    const uint64_t taken = address_space();
    if (taken > 0)
        limit(RLIMIT_AS, taken + MEMORY_BASE + MEMORY_TIMES * bytes);
#endif
}

void elm_guard_serve(int argc, char **argv, const char *kind, elm_guard_read read)
{
    if (argc != WORDS || strcmp(argv[1], guard_name) != 0 || strcmp(argv[2], kind) != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit_all(argv[3]);
    elm_error err = {0};
    if (read(argv[3], &err) == 0)
        _exit(0);
    elm_io_write(STDOUT_FILENO, err.text, strlen(err.text));
    _exit(REFUSED + (err.code >= 0 && err.code < 100 ? err.code : ELM_EXIT_FAILURE));
}

/* --- the first --- */

/* Memory that is not what it was zeroed for shows in the second process rather than in ours;
 * threads are of no use there. */
static char **make_environment(void)
{
    static const char *const own[] = {"MALLOC_PERTURB_=165", "OMP_NUM_THREADS=1",
                                      "OPENBLAS_NUM_THREADS=1",
                                      "HDF5_PLUGIN_PRELOAD=::", "ELMPI_GUARD_SECOND=1"};
    enum { OWN = sizeof own / sizeof *own };
    size_t count = 0, kept = 0;
    while (environ[count] != NULL)
        count++;
    char **made = malloc((count + OWN + 1) * sizeof *made);
    for (size_t i = 0; made != NULL && i < count; i++) {
        bool replaced = false;
        for (size_t o = 0; o < OWN; o++)
            replaced |= strncmp(environ[i], own[o], strcspn(own[o], "=") + 1) == 0;
        if (!replaced)
            made[kept++] = environ[i];
    }
    for (size_t o = 0; made != NULL && o < OWN; o++)
        made[kept++] = (char *)(uintptr_t)own[o];
    if (made != NULL)
        made[kept] = NULL;
    return made;
}

/* A debugger such as valgrind runs another program than /proc/self/exe, and knows to lie only
 * when that link is read. */
static void own_program(char path[ELM_PATH_SIZE])
{
    const ssize_t length = readlink("/proc/self/exe", path, ELM_PATH_SIZE - 1);
    path[length > 0 ? length : 0] = '\0';
    if (access(path, X_OK) != 0) /* it was replaced while it runs */
        snprintf(path, ELM_PATH_SIZE, "/proc/self/exe");
}

/* 0, or the errno of what failed.
 *  Owns:   *output, the end of a pipe, is closed by the caller. */
static int start(const char *kind, const char *path, pid_t *child, int *output)
{
    int ends[2];
    char program[ELM_PATH_SIZE];
    own_program(program);
    char *const words[WORDS + 1] = {program, (char *)(uintptr_t)guard_name, (char *)(uintptr_t)kind,
                                    (char *)(uintptr_t)path, NULL};
    char **environment = make_environment();
    if (environment == NULL)
        return ENOMEM;
    if (pipe(ends) != 0) {
        free(environment);
        return errno;
    }
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
    /* glibc's last words */
    posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    sigemptyset(&none);
    sigfillset(&usual);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    const int cause = posix_spawn(child, program, &files, &attributes, words, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    free(environment);
    close(ends[1]);
    if (cause != 0)
        close(ends[0]);
    else
        *output = ends[0];
    return cause;
}

static void read_text(int output, char *text, size_t size_bytes)
{
    size_t used = 0;
    char rest[256];
    for (;;) {
        const bool full = used + 1 >= size_bytes;
        const ssize_t got = full ? read(output, rest, sizeof rest)
                                 : read(output, text + used, size_bytes - 1 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        used += full ? 0 : (size_t)got;
    }
    text[used] = '\0';
}

static int judge(int status, const char *kind, const char *path, const char *text, elm_error *err)
{
    const char *advice = "the file is damaged or forged: use another one";
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) >= REFUSED && text[0] != '\0')
        return elm_error_set(err, WEXITSTATUS(status) - REFUSED, "%s", text);
    if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
        return elm_error_set(err, ELM_EXIT_FAILURE, "reading the %s comes to no end (%s): %s", kind,
                             path, advice);
    if (WIFSIGNALED(status))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the process that reads the %s first crashed, %s (%s): %s", kind,
                             strsignal(WTERMSIG(status)), path, advice);
    return elm_error_set(err, ELM_EXIT_FAILURE,
                         "the process that reads the %s first ended with status %d (%s): %s", kind,
                         WIFEXITED(status) ? WEXITSTATUS(status) : -1, path, advice);
}

int elm_guard_check(const char *kind, const char *path, elm_error *err)
{
    const char *asked = getenv("ELMPI_GUARD");
    if (asked != NULL && strcmp(asked, "off") == 0)
        return 0;
    if (getenv(second_variable) != NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "this program, started to read the %s first, does not know that it is "
                             "to (%s): set ELMPI_GUARD=off where all files are your own",
                             kind, path);
    pid_t child = -1;
    int output = -1, status = 0;
    const int cause = start(kind, path, &child, &output);
    if (cause != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "cannot start the process that reads the %s first (%s): %s: allow it, "
                             "or set ELMPI_GUARD=off where all files are "
                             "your own",
                             kind, path, strerror(cause));
    elm_error told = {0};
    read_text(output, told.text, sizeof told.text);
    close(output);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return elm_error_set(err, ELM_EXIT_FAILURE,
                                 "the process that reads the %s first was lost (%s): %s", kind,
                                 path, strerror(errno));
    return judge(status, kind, path, told.text, err);
}
