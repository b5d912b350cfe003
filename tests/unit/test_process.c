/* Process: signals end it at once while there is nothing to lose, and are noted after that;
 * deadlines; what nobody reads; shared memory. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file/shared_memory.h"
#include "base/process/process.h"
#include "unit/scratch.h"

/* A process that `life` is the whole of; stderr goes to the file. */
static pid_t begin(const char *said, int (*life)(void))
{
    fflush(NULL);
    const pid_t child = fork();
    if (child != 0)
        return child;
    dup2(open(said, O_WRONLY | O_CREAT | O_TRUNC, 0666), STDERR_FILENO);
    elm_error err = {0};
    if (elm_process_begin("elmpi-test", &err))
        _exit(70);
    _exit(life());
}

static int end_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void must_say(const char *path, const char *words)
{
    char text[2048] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    if (!strstr(text, words))
        fail_msg("\"%s\" lacks \"%s\"", text, words);
}

static char fifo[512], temporary[512];

/* Waits in a system call for what never comes. */
static int read_fifo(void)
{
    elm_process_remove_at_end(temporary);
    elm_process_set_phase("reading");
    const int file = open(temporary, O_WRONLY | O_CREAT, 0666);
    close(file);
    return open(fifo, O_RDONLY) < 0;
}

static void ends_at_once(void **state)
{
    (void)state;
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    char said[600];
    snprintf(fifo, sizeof fifo, "%s", scratch_path("fifo"));
    snprintf(temporary, sizeof temporary, "%s", scratch_path("temporary"));
    snprintf(said, sizeof said, "%s", scratch_path("said"));
    assert_int_equal(mkfifo(fifo, 0666), 0);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const pid_t child = begin(said, read_fifo);
        while (access(temporary, F_OK))
            usleep(10000);
        kill(child, signals[i]);
        assert_int_equal(end_of(child), ELM_EXIT_STOPPED);
        must_say(said, "elmpi-test: stopped on request (SIG");
        must_say(said, "phase reading");
        assert_int_not_equal(access(temporary, F_OK), 0);
    }
}

static int work_until_asked(void)
{
    elm_process_defer_stop();
    kill(getpid(), SIGTERM);
    while (!*elm_process_stop())
        usleep(10000);
    return 42;
}

static int never_listen(void)
{
    elm_process_defer_stop();
    kill(getpid(), SIGINT);
    while (!*elm_process_stop())
        usleep(10000);
    kill(getpid(), SIGINT);
    sleep(60);
    return 0;
}

static void notes_requests_while_it_works(void **state)
{
    (void)state;
    char said[600];
    snprintf(said, sizeof said, "%s", scratch_path("said"));
    assert_int_equal(end_of(begin(said, work_until_asked)), 42);
    assert_int_equal(end_of(begin(said, never_listen)), ELM_EXIT_STOPPED);
    must_say(said, "second time");
}

static int hang(void)
{
    elm_process_set_deadline(1, "the disk does not answer");
    sleep(60);
    return 0;
}

static int be_quick(void)
{
    elm_process_set_deadline(1, "the disk does not answer");
    elm_process_set_deadline(0, NULL);
    sleep(3);
    return 43;
}

static void keeps_deadlines(void **state)
{
    (void)state;
    char said[600];
    snprintf(said, sizeof said, "%s", scratch_path("said"));
    assert_int_equal(end_of(begin(said, hang)), ELM_EXIT_FAILURE);
    must_say(said, "the disk does not answer");
    assert_int_equal(end_of(begin(said, be_quick)), 43);
}

static int write_too_much(void)
{
    if (!freopen("/dev/full", "w", stdout))
        return 44;
    printf("lost");
    return elm_process_end(ELM_EXIT_SUCCESS);
}

static int write_to_nobody(void)
{
    int ends[2];
    if (pipe(ends))
        return 44;
    close(ends[0]);
    dup2(ends[1], STDOUT_FILENO);
    printf("lost");
    return elm_process_end(ELM_EXIT_SUCCESS);
}

static void lost_words_are_an_error(void **state)
{
    (void)state;
    char said[600];
    snprintf(said, sizeof said, "%s", scratch_path("said"));
    assert_int_equal(end_of(begin(said, write_too_much)), ELM_EXIT_FAILURE);
    must_say(said, "No space left");
    assert_int_equal(end_of(begin(said, write_to_nobody)), ELM_EXIT_FAILURE);
    must_say(said, "Broken pipe");
}

static void ranks_of_launchers(void **state)
{
    (void)state;
    assert_false(elm_process_is_launched() && !getenv("OMPI_COMM_WORLD_RANK") &&
                 !getenv("PMIX_RANK") && !getenv("PMI_RANK") && !getenv("SLURM_PROCID"));
    setenv("OMPI_COMM_WORLD_RANK", "7", 1);
    assert_true(elm_process_is_launched());
    assert_int_equal(elm_process_rank(), 7);
    unsetenv("OMPI_COMM_WORLD_RANK");
}

static void finds_left_segments(void **state)
{
    (void)state;
    char folder[600], path[700], command[2000];
    size_t bytes;
    snprintf(folder, sizeof folder, "%s", scratch_path("shm"));
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(elm_shared_memory_find_left(folder, command, sizeof command, &bytes), 0);
    static const char *const names[] = {"vader_segment.host.0.1", "vader_segment.host.0.2",
                                        "sombodys file", "vader_segment.$(false)"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        const int file = open(path, O_RDWR | O_CREAT, 0666);
        assert_int_equal(pwrite(file, path, 100, 0), 100);
        if (i == 0)
            /* in use */
            assert_true(mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0) != MAP_FAILED);
        close(file);
    }
    assert_int_equal(elm_shared_memory_find_left(folder, command, sizeof command, &bytes), 1);
    snprintf(path, sizeof path, "rm -f %s/vader_segment.host.0.2", folder);
    assert_string_equal(command, path);
    assert_true(bytes >= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_once),       cmocka_unit_test(notes_requests_while_it_works),
        cmocka_unit_test(keeps_deadlines),    cmocka_unit_test(lost_words_are_an_error),
        cmocka_unit_test(ranks_of_launchers), cmocka_unit_test(finds_left_segments),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
