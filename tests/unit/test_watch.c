/* Watch: plans of faults, heartbeats, a stall that ends the process and tells where everybody
 * was, and what is no stall. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/build_id.h"
#include "base/process/fault_injection.h"
#include "elmpi/watchdog.h"
#include "unit/scratch.h"

static void plans(void **state)
{
    (void)state;
    elm_error err = {0};
    elm_fault fault;
    assert_int_equal(elm_fault_parse(&fault, NULL, &err), 0);
    assert_false(elm_fault_is_due(&fault, "forward", 0, 1));
    assert_int_equal(elm_fault_parse(&fault, "kill@checkpoint-rename:rank=2:step=7", &err), 0);
    assert_true(elm_fault_is_due(&fault, "checkpoint-rename", 2, 7));
    assert_false(elm_fault_is_due(&fault, "checkpoint-rename", 2, 8));
    assert_false(elm_fault_is_due(&fault, "checkpoint-rename", 1, 7));
    assert_false(elm_fault_is_due(&fault, "checkpoint", 2, 7));
    assert_int_equal(elm_fault_parse(&fault, "error@data", &err), 0);
    assert_true(elm_fault_is_due(&fault, "data", 0, 12));
    assert_int_equal(elm_fault_strike(&fault, &err), -1);
    assert_non_null(strstr(err.text, "on purpose"));
    assert_false(elm_fault_is_due(&fault, "data", 0, 12)); /* once */
    static const char *const wrong[] = {"kill",
                                        "kill@",
                                        "burn@data",
                                        "kill@data:",
                                        "kill@data:rank=",
                                        "kill@data,x=1",
                                        "kill@data:rank=-1",
                                        "kill@data:rank=1x",
                                        "kill@data:step=1:at=2",
                                        "@data",
                                        "kill@dat"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        err = (elm_error){0};
        assert_int_equal(elm_fault_parse(&fault, wrong[i], &err), -1);
        assert_int_equal(err.code, ELM_EXIT_USAGE);
        assert_non_null(
            strstr(err.text, strcmp(wrong[i], "kill@dat") ? wrong[i] : "no phase of a run: dat"));
    }
}

/* A run folder of a test's own. */
static const char *run_folder(const char *name)
{
    const char *path = scratch_path(name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

/* A watched rank in a process of its own: `life` is what it does. */
static pid_t begin(const char *folder, double timeout, void (*life)(elm_watchdog *watch))
{
    const pid_t child = fork();
    if (child != 0)
        return child;
    elm_error err = {0};
    elm_watchdog *watch;
    if (elm_watchdog_create(&watch, "elmpi-test", &err))
        _exit(70);
    elm_watchdog_set_rank(watch, 0, 2);
    if (elm_watchdog_guard(watch, timeout, &err))
        _exit(71);
    elm_watchdog_set_folder(watch, folder, 3);
    elm_watchdog_set_step(watch, 41);
    elm_watchdog_enter(watch, "allreduce", NULL);
    life(watch);
    elm_watchdog_destroy(watch);
    _exit(0);
}

static int end_of(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void wait_for_ever(elm_watchdog *watch)
{
    (void)watch;
    sleep(60);
}

static void work(elm_watchdog *watch)
{
    for (int i = 0; i < 60; i++) {
        usleep(50000);
        elm_watchdog_heartbeat(watch);
    }
}

static void look_away(elm_watchdog *watch)
{
    (void)watch;
    usleep(700000);
}

static void read_file(const char *folder, const char *name, char *text, size_t size)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

static bool is_there(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

static void stalls(void **state)
{
    (void)state;
    const char *folder = run_folder("stalls");
    char text[4096];
    assert_int_equal(end_of(begin(folder, 0.5, wait_for_ever)), ELM_EXIT_FAILURE);
    read_file(folder, "log.txt", text, sizeof text);
    assert_non_null(strstr(text, "elmpi-test: error: rank 0 has been in allreduce of step 41 for"));
    assert_non_null(strstr(text, "rank 1: no heartbeat"));
    assert_true(is_there(folder, "heartbeat-3-0")); /* evidence stays */
}

static void works(void **state)
{
    (void)state;
    const char *folder = run_folder("works");
    assert_int_equal(end_of(begin(folder, 2, work)), 0);
    assert_false(is_there(folder, "log.txt"));
    assert_false(is_there(folder, "heartbeat-3-0"));
}

/* Rank 1's heartbeat, written by hand `times` times with 50 ms between, counted on or always the
 * same. */
static void write_beats(const char *folder, int times, bool counted, pid_t reader)
{
    char path[4096], beat[256];
    snprintf(path, sizeof path, "%s/heartbeat-3-1", folder);
    for (int i = 0; i < times; i++) {
        const int size = snprintf(
            beat, sizeof beat,
            "step 41 phase checkpoint seconds 0.0 host elsewhere pid 1 count %05d every 0.1\n",
            counted ? i : 0);
        const int file = open(path, O_WRONLY | O_CREAT, 0666); /* as the watch does: never empty */
        assert_int_equal(pwrite(file, beat, (size_t)size, 0), size);
        close(file);
        usleep(50000);
        if (reader)
            assert_int_equal(waitpid(reader, NULL, WNOHANG), 0);
    }
}

/* Rank 1's heartbeat says that it has just moved on, again and again: rank 0 waits for somebody
 * who works. */
static void waits_for_one_who_works(void **state)
{
    (void)state;
    const char *folder = run_folder("waits_for_one_who_works");
    const pid_t child = begin(folder, 2, wait_for_ever);
    write_beats(folder, 60, true, child);
    /* Then it falls silent. */
    assert_int_equal(end_of(child), ELM_EXIT_FAILURE);
    char text[4096];
    read_file(folder, "log.txt", text, sizeof text);
    assert_non_null(
        strstr(text, "rank 1 on elsewhere: checkpoint, step 41, for 0.0 s, no heartbeat for"));
    assert_non_null(strstr(text, "or longer (stopped, dead or cut off)"));
}

/* Whatever the file server's clock says of it, a heartbeat that does not change is none. */
static void dates_do_not_count(void **state)
{
    (void)state;
    const char *folder = run_folder("dates_do_not_count");
    char path[4096];
    const pid_t child = begin(folder, 1, wait_for_ever);
    write_beats(folder, 1, false, child);
    snprintf(path, sizeof path, "%s/heartbeat-3-1", folder);
    const time_t ahead = time(NULL) + 3600;
    assert_int_equal(
        utimensat(AT_FDCWD, path, (struct timespec[2]){{.tv_sec = ahead}, {.tv_sec = ahead}}, 0),
        0);
    write_beats(folder, 1, false, 0); /* written anew, and the same */
    assert_int_equal(end_of(child), ELM_EXIT_FAILURE);
}

static void listens_to_other_runs(void **state)
{
    (void)state;
    const char *folder = run_folder("listens");
    assert_true(elm_watchdog_listening_time(folder, 3) < 0);
    write_beats(folder, 1, false, 0);
    assert_true(elm_watchdog_listening_time(folder, 3) > 1 &&
                elm_watchdog_listening_time(folder, 3) < 2);
    assert_true(elm_watchdog_listening_time(folder, 4) < 0);
    assert_false(elm_watchdog_listen(folder, 3, NULL));
    const pid_t child = fork();
    if (child == 0) {
        write_beats(folder, 40, true, 0);
        _exit(0);
    }
    assert_true(elm_watchdog_listen(folder, 3, NULL));
    end_of(child);
}

static void timeouts(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double seconds; /* -1: refused */
    } rows[] = {{"", 600},  {"5", 5},    {"0", 0},    {"0.5", 0.5},
                {"-1", -1}, {"nan", -1}, {"5 s", -1}, {"2e9", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double timeout;
        elm_error err = {0};
        setenv("ELMPI_STALL_TIMEOUT", rows[i].text, 1);
        assert_int_equal(elm_watchdog_timeout(600, &timeout, &err), rows[i].seconds < 0 ? -1 : 0);
        if (rows[i].seconds >= 0)
            assert_true(timeout == rows[i].seconds);
        else
            assert_int_equal(err.code, ELM_EXIT_USAGE);
    }
    unsetenv("ELMPI_STALL_TIMEOUT");
}

/* A process that its scheduler suspended has not been waiting. */
static void suspended(void **state)
{
    (void)state;
    const char *folder = run_folder("suspended");
    const pid_t child = begin(folder, 2, look_away);
    usleep(200000);
    kill(child, SIGSTOP);
    sleep(6);
    kill(child, SIGCONT);
    assert_int_equal(end_of(child), 0);
}

static void unwatched(void **state)
{
    (void)state;
    const char *folder = run_folder("unwatched");
    assert_int_equal(elm_watchdog_enter(NULL, "data", NULL), 0);
    elm_watchdog_set_step(NULL, 1);
    elm_watchdog_heartbeat(NULL);
    elm_watchdog_destroy(NULL);
    assert_int_equal(end_of(begin(folder, 0, look_away)), 0); /* 0 seconds: never */
}

static void build_has_an_id(void **state)
{
    (void)state;
    char id[64];
    elm_build_id(id, sizeof id);
    assert_int_equal(strlen(id), 40);
    assert_int_equal(strspn(id, "0123456789abcdef"), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans),           cmocka_unit_test(stalls),
        cmocka_unit_test(works),           cmocka_unit_test(waits_for_one_who_works),
        cmocka_unit_test(suspended),       cmocka_unit_test(unwatched),
        cmocka_unit_test(build_has_an_id), cmocka_unit_test(dates_do_not_count),
        cmocka_unit_test(timeouts),        cmocka_unit_test(listens_to_other_runs),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
