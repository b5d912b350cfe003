/* Run folders: who may write, which checkpoint is the newest, and what is deleted. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/claim.h"
#include "elmpi/memory.h"
#include "elmpi/run_folder.h"
#include "unit/hdf5_leaks.h"
#include "unit/scratch.h"

static elm_run_folder *must_open(const char *path, bool resume)
{
    elm_run_folder *folder = NULL;
    elm_error err = {0};
    if (elm_run_folder_open(&folder, path, resume, &err))
        fail_msg("%s", err.text);
    return folder;
}

static void must_not_open(const char *path, bool resume, int code, const char *message)
{
    elm_run_folder *folder = NULL;
    elm_error err = {0};
    assert_int_equal(elm_run_folder_open(&folder, path, resume, &err), -1);
    assert_null(folder);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static void save(elm_run_folder *folder, int64_t step, int64_t keep)
{
    const elm_checkpoint checkpoint = {.job = "[run]\n", .step = step, .ranks = 1};
    elm_error err = {0};
    if (elm_run_folder_save(folder, &checkpoint, keep, &err))
        fail_msg("%s", err.text);
}

static bool has(const char *folder, const char *name)
{
    char path[1024];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return !lstat(path, &about);
}

static void put(const char *folder, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The step of the newest checkpoint, -1 if there is none. */
static int64_t newest(elm_run_folder *folder, char *name, int capacity)
{
    elm_checkpoint *checkpoint = NULL;
    elm_error err = {0};
    if (elm_run_folder_newest(folder, NULL, &checkpoint, name, capacity, &err))
        fail_msg("%s", err.text);
    const int64_t step = checkpoint ? checkpoint->step : -1;
    elm_checkpoint_free(checkpoint);
    return step;
}

static void folders_are_made(void **state)
{
    (void)state;
    const char *path = scratch_path("runs/deep/er");
    elm_run_folder *folder = must_open(path, false);
    assert_int_equal(elm_run_folder_number(folder), 1);
    assert_string_equal(elm_run_folder_path(folder), path);
    assert_true(has(path, "claim-1"));
    elm_run_folder_close(folder);
    elm_run_folder_close(NULL);
    put(scratch_folder, "a-file", "");
    must_not_open(scratch_path("a-file"), false, ELM_EXIT_FAILURE, "no folder");
    must_not_open(scratch_path("a-file/below"), false, ELM_EXIT_FAILURE, "no folder");
}

static void earlier_run_needs_resume(void **state)
{
    (void)state;
    char path[600]; /* more paths follow than scratch_path keeps */
    snprintf(path, sizeof path, "%s", scratch_path("earlier"));
    mkdir(path, 0777);
    put(path, "slurm-17.out", "a scheduler's log is no run\n");
    elm_run_folder_close(must_open(path, false));
    must_not_open(path, false, ELM_EXIT_USAGE, "--resume");
    static const char *const traces[] = {"job.ini",           "metrics.csv", "checkpoint.h5",
                                         "checkpoint-3-7.h5", "claim-1",     "best.h5",
                                         "best-3-7.h5"};
    for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
        const char *fresh = scratch_path(traces[i]);
        mkdir(fresh, 0777);
        put(fresh, traces[i], "");
        must_not_open(fresh, false, ELM_EXIT_USAGE, traces[i]);
    }
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 2);
    elm_run_folder_close(folder);
}

static void numbers_pass_those_of_checkpoints(void **state)
{
    (void)state;
    const char *path = scratch_path("numbers");
    mkdir(path, 0777);
    put(path, "checkpoint-7-5.h5", "");
    put(path, "checkpoint-9-5.h5.bak", "");
    put(path, "checkpoint-009-5.h5", "");
    put(path, "checkpoint-7-6.h5.tmp-123", "unfinished");
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 8);
    assert_false(has(path, "checkpoint-7-6.h5.tmp-123"));
    assert_true(has(path, "checkpoint-9-5.h5.bak"));
    elm_run_folder_close(folder);
}

static void numbers_pass_those_of_best_ones(void **state)
{
    (void)state;
    const char *path = scratch_path("numbers-of-best");
    mkdir(path, 0777);
    put(path, "best-7-5.h5", "");
    put(path, "checkpoint-6-5.h5", "");
    put(path, "best-9-5.h5.bak", "");
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 8);
    elm_run_folder_close(folder);
}

static void save_best(elm_run_folder *folder, int64_t step)
{
    const elm_checkpoint checkpoint = {
        .job = "[run]\n", .step = step, .ranks = 1, .chosen_on = "holdout"};
    elm_error err = {0};
    if (elm_run_folder_save_best(folder, &checkpoint, &err))
        fail_msg("%s", err.text);
    assert_int_equal(elm_run_folder_best_step(folder), step);
}

/* The step that best.h5 leads to in a run that goes on from that checkpoint. */
static int64_t chosen(elm_run_folder *folder, const char *checkpoint, int64_t step)
{
    elm_error err = {0};
    if (elm_run_folder_choose_best(folder, checkpoint, step, &err))
        fail_msg("%s", err.text);
    return elm_run_folder_best_step(folder);
}

/* A best one goes once a checkpoint knows its successor; until then a run that goes on from an
 * older checkpoint finds it. */
static void best_follows_the_checkpoint(void **state)
{
    (void)state;
    char path[600];
    elm_run_folder *folder = must_open(scratch_path("best"), false);
    snprintf(path, sizeof path, "%s", elm_run_folder_path(folder));
    assert_int_equal(elm_run_folder_best_step(folder), -1);
    assert_int_equal(chosen(folder, "checkpoint-1-4.h5", 4), -1); /* none was kept */
    save_best(folder, 4);
    save_best(folder, 8);
    assert_true(has(path, "best-1-4.h5"));
    save(folder, 10, 0);
    assert_false(has(path, "best-1-4.h5"));
    save_best(folder, 18);
    assert_true(has(path, "best-1-8.h5") && has(path, "best-1-18.h5"));
    elm_run_folder_close(folder); /* killed */

    folder = must_open(path, true);
    save(folder, 12, 0); /* best.h5 leads to a later step: nothing is decided */
    assert_true(has(path, "best-1-8.h5") && has(path, "best-1-18.h5"));
    assert_int_equal(chosen(folder, "checkpoint-1-10.h5", 9), 18); /* not kept: as it was */
    assert_int_equal(chosen(folder, "checkpoint-1-10.h5", 8), 8);
    save(folder, 13, 0);
    assert_true(has(path, "best-1-8.h5"));
    assert_false(has(path, "best-1-18.h5"));
    save_best(folder, 18);
    save(folder, 20, 0);
    assert_true(has(path, "best-2-18.h5"));
    assert_false(has(path, "best-1-8.h5"));

    put(path, "best-1-18.h5", "");
    assert_int_equal(chosen(folder, "checkpoint-1-18.h5", 18), 18); /* not by later runs */
    char link[700], target[64] = "";
    snprintf(link, sizeof link, "%s/best.h5", path);
    assert_true(readlink(link, target, sizeof target - 1) > 0);
    assert_string_equal(target, "best-1-18.h5");
    unlink(scratch_path("best/best-1-18.h5"));
    assert_int_equal(elm_run_folder_best_step(folder), -1); /* the link leads nowhere */
    elm_run_folder_close(folder);
}

static void oldest_are_deleted(void **state)
{
    (void)state;
    char name[64], target[64] = "", link[600];
    const char *path = scratch_path("keep");
    elm_run_folder *folder = must_open(path, false);
    assert_int_equal(newest(folder, name, sizeof name), -1);
    for (int step = 8; step <= 11; step++)
        save(folder, step, 0);
    assert_true(has(path, "checkpoint-1-8.h5"));
    save(folder, 12, 2);
    assert_true(has(path, "checkpoint-1-12.h5") && has(path, "checkpoint-1-11.h5"));
    assert_false(has(path, "checkpoint-1-10.h5") || has(path, "checkpoint-1-9.h5") ||
                 has(path, "checkpoint-1-8.h5"));
    save(folder, 13, 1);
    assert_false(has(path, "checkpoint-1-12.h5"));
    save(folder, 13, 1); /* the same step again */
    snprintf(link, sizeof link, "%s/checkpoint.h5", path);
    assert_true(readlink(link, target, sizeof target - 1) > 0);
    assert_string_equal(target, "checkpoint-1-13.h5");
    assert_int_equal(elm_checkpoint_verify(link, NULL), 0);
    assert_int_equal(newest(folder, name, sizeof name), 13);
    assert_string_equal(name, "checkpoint-1-13.h5");
    elm_run_folder_close(folder);
}

static void newest_good_one_is_found(void **state)
{
    (void)state;
    char name[64], path[600];
    elm_run_folder *folder = must_open(scratch_path("newest"), false);
    snprintf(path, sizeof path, "%s", elm_run_folder_path(folder));
    save(folder, 9, 0);
    save(folder, 100, 0);
    elm_run_folder_close(folder);
    folder = must_open(path, true);
    assert_int_equal(newest(folder, name, sizeof name), 100); /* by number, not by letters */
    save(folder, 20, 0);
    /* a later run counts more than a later step */
    assert_int_equal(newest(folder, name, sizeof name), 20);
    assert_string_equal(name, "checkpoint-2-20.h5");
    put(path, "checkpoint-2-30.h5", "ELMPI checkpoint 1\nlength 9\n");
    put(path, "checkpoint-2-31.h5", "");
    assert_int_equal(newest(folder, name, sizeof name), 20);
    put(path, "checkpoint-2-20.h5", "broken");
    assert_int_equal(newest(folder, name, sizeof name), 100);
    elm_run_folder_close(folder);
}

static void flip_first_line(const char *folder, const char *name, char digit)
{
    char path[700];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    fseek(file, (long)strlen("ELMPI checkpoint "), SEEK_SET);
    fputc(digit, file);
    fclose(file);
}

/* Damaged ones do not push a good one out, and a damaged version number is no other version. */
static void damaged_ones_do_not_count(void **state)
{
    (void)state;
    char name[64], path[600];
    elm_run_folder *folder = must_open(scratch_path("damaged"), false);
    snprintf(path, sizeof path, "%s", elm_run_folder_path(folder));
    for (int step = 1; step <= 4; step++)
        save(folder, step, 0);
    elm_run_folder_close(folder);
    flip_first_line(path, "checkpoint-1-4.h5", '3');
    put(path, "checkpoint-1-3.h5", "torn");
    folder = must_open(path, true);
    assert_int_equal(newest(folder, name, sizeof name), 2);
    save(folder, 3, 4);
    assert_true(has(path, "checkpoint-2-3.h5") && has(path, "checkpoint-1-2.h5") &&
                has(path, "checkpoint-1-1.h5"));
    save(folder, 4, 3);
    assert_true(has(path, "checkpoint-2-3.h5") && has(path, "checkpoint-1-2.h5"));
    assert_false(has(path, "checkpoint-1-1.h5"));
    save(folder, 5, 3);
    assert_false(has(path, "checkpoint-1-4.h5") || has(path, "checkpoint-1-3.h5") ||
                 has(path, "checkpoint-1-2.h5"));
    assert_int_equal(newest(folder, name, sizeof name), 5);
    elm_run_folder_close(folder);
}

static void live_owner_is_respected(void **state)
{
    (void)state;
    const char *path = scratch_path("live");
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) { /* takes the folder and lives until it is killed */
        elm_run_folder *folder;
        const char ok = elm_run_folder_open(&folder, path, false, NULL) ? 'n' : 'y';
        if (write(ready[1], &ok, 1) == 1)
            pause();
        _exit(0);
    }
    char answer = 0;
    assert_int_equal(read(ready[0], &answer, 1), 1);
    assert_int_equal(answer, 'y');
    char pid[32];
    snprintf(pid, sizeof pid, "process %d on ", (int)child);
    must_not_open(path, true, ELM_EXIT_FAILURE, pid);
    must_not_open(path, false, ELM_EXIT_FAILURE, pid);
    kill(child, SIGKILL);
    siginfo_t about;
    waitid(P_PID, (id_t)child, &about, WEXITED | WNOWAIT); /* dead, still a zombie */
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 2);
    must_not_open(path, true, ELM_EXIT_FAILURE, "claim-2"); /* ourselves */
    elm_run_folder_close(folder);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
}

/* Writes a claim as another process would have. */
static void put_claim(const char *folder, int run, const char *host, const char *boot, long pid,
                      unsigned long long start, const char *rest)
{
    char name[32], text[512];
    snprintf(name, sizeof name, "claim-%d", run);
    snprintf(text, sizeof text, "host %s\nboot %s\npid %ld\nstart %llu\n%s", host, boot, pid, start,
             rest);
    put(folder, name, text);
}

static void claims_are_judged(void **state)
{
    (void)state;
    setenv("SLURM_JOB_ID", "4711", 1);
    setenv("SLURM_RESTART_COUNT", "1", 1);
    const elm_claim me = elm_claim_mine(0);
    assert_true(me.start > 0 && *me.boot);
    const struct {
        const char *host, *boot;
        long pid;
        unsigned long long start;
        const char *rest;
        bool live;
    } rows[] = {
        {me.host, me.boot, me.pid, me.start, "job -\nrestart 0\n", true},
        {me.host, me.boot, me.pid, me.start, "job -\nrestart 0\nended\n", false},
        /* somebody else has its pid now */
        {me.host, me.boot, me.pid, me.start + 1, "job -\nrestart 0\n", false},
        {me.host, "other-boot", me.pid, me.start, "job -\nrestart 0\n", false},
        {me.host, me.boot, 1 << 30, me.start, "job -\nrestart 0\n", false},
        {me.host, me.boot, me.pid, me.start, "job 4711\nrestart 0\n", false}, /* taken over */
        {me.host, me.boot, me.pid, me.start, "job 4711\nrestart 1\n", true},
        {me.host, me.boot, me.pid, me.start, "job 4711\nrestart 2\n", true},
        {"elsewhere", me.boot, 1, 1, "job -\nrestart 0\n", true},
        {"elsewhere", me.boot, 1, 1, "job 4712\nrestart 0\n", true},
        {"elsewhere", me.boot, 1, 1, "job 4711\nrestart 0\n", false},
        {"elsewhere", me.boot, 1, 1, "job 4712\nrestart 0\nended\n", false},
        {me.host, me.boot, me.pid, me.start, "", false}, /* its writer died in the middle */
    };
    const char *path = scratch_path("judged");
    mkdir(path, 0777);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elm_claim theirs;
        put_claim(path, 1, rows[i].host, rows[i].boot, rows[i].pid, rows[i].start, rows[i].rest);
        assert_int_equal(elm_claim_read(path, 1, &theirs), 0);
        if (elm_claim_is_live(path, &theirs, &me, NULL, NULL) != rows[i].live)
            fail_msg("row %zu", i);
    }
    /* Its writer completes it while it is looked at. */
    elm_claim theirs;
    put_claim(path, 1, me.host, me.boot, me.pid, me.start, "");
    assert_int_equal(elm_claim_read(path, 1, &theirs), 0);
    const pid_t child = fork();
    if (child == 0) {
        usleep(500000);
        put_claim(path, 1, me.host, me.boot, me.pid, me.start, "job -\nrestart 0\n");
        _exit(0);
    }
    assert_true(elm_claim_is_live(path, &theirs, &me, NULL, NULL));
    waitpid(child, NULL, 0);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

/* Of another host's process only its heartbeats tell, by their change. */
static void silent_hosts_have_ended(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("silent"));
    static const char beat[] =
        "step 41 phase input seconds 0.0 host elsewhere pid 1 count %d every 0.1\n";
    char text[256];
    mkdir(path, 0777);
    put_claim(path, 7, "elsewhere", "-", 1, 1, "job -\nrestart 0\n");
    must_not_open(path, true, ELM_EXIT_FAILURE, "process 1 on elsewhere");
    snprintf(text, sizeof text, beat, 1);
    put(path, "heartbeat-7-0", text);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 2;; i++) {
            usleep(100000);
            snprintf(text, sizeof text, beat, i);
            put(path, "heartbeat-7-0", text);
        }
    }
    must_not_open(path, true, ELM_EXIT_FAILURE, "process 1 on elsewhere");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    put(path, "heartbeat-7-0", text);
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 8);
    elm_run_folder_close(folder);
}

static void numbers_end(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("numbers-end"));
    mkdir(path, 0777);
    put(path, "claim-2147483647", "nobody's"); /* no number of a run */
    put(path, "claim-99999999999999999999", "nobody's");
    elm_run_folder *folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 1);
    elm_run_folder_close(folder);
    put_claim(path, 999999998, "-", "-", 1, 1, "job -\nrestart 0\nended\n");
    folder = must_open(path, true);
    assert_int_equal(elm_run_folder_number(folder), 999999999);
    elm_run_folder_close(folder);
    must_not_open(path, true, ELM_EXIT_USAGE, "no number is left");
}

static void must_link(const char *folder, const char *name)
{
    char link[1024], target[64] = "";
    snprintf(link, sizeof link, "%s/checkpoint.h5", folder);
    assert_true(readlink(link, target, sizeof target - 1) > 0);
    assert_string_equal(target, name);
}

/* Killed between a checkpoint and its link, or before the oldest went. */
static void settles_what_a_kill_left(void **state)
{
    (void)state;
    char path[600], link[700], name[64];
    snprintf(path, sizeof path, "%s", scratch_path("settled"));
    snprintf(link, sizeof link, "%s/checkpoint.h5", path);
    elm_run_folder *folder = must_open(path, false);
    for (int step = 1; step <= 4; step++)
        save(folder, step, 0);
    elm_run_folder_close(folder);
    assert_false(elm_run_folder_has_newer(link, 4, name, sizeof name));
    for (int there = 0; there < 2; there++) {
        unlink(link);
        if (there)
            assert_int_equal(symlink("checkpoint-1-2.h5", link), 0);
        assert_int_equal(elm_run_folder_has_newer(link, 2, name, sizeof name), there);
        if (there)
            assert_string_equal(name, "checkpoint-1-4.h5");
        folder = must_open(path, true);
        assert_int_equal(newest(folder, name, sizeof name), 4);
        assert_int_equal(elm_run_folder_settle(folder, name, 3, NULL), 0);
        elm_run_folder_close(folder);
        must_link(path, "checkpoint-1-4.h5");
        assert_false(has(path, "checkpoint-1-1.h5"));
    }
    put(path, "checkpoint-1-4.h5", "torn");
    /* nothing newer that is whole */
    assert_false(elm_run_folder_has_newer(link, 4, name, sizeof name));
    put(path, "checkpoint-1-3.h5", "torn");
    put(path, "checkpoint-1-2.h5", "torn");
    folder = must_open(path, true);
    elm_checkpoint *none;
    assert_int_equal(elm_run_folder_newest(folder, NULL, &none, name, sizeof name, NULL), 0);
    assert_null(none);
    assert_int_equal(elm_run_folder_settle(folder, NULL, 3, NULL), 0);
    elm_run_folder_close(folder);
    assert_false(has(path, "checkpoint.h5")); /* it led to a damaged one */
}

static void restarted_job_takes_over(void **state)
{
    (void)state;
    const char *path = scratch_path("takeover");
    setenv("SLURM_JOB_ID", "99", 1);
    elm_run_folder *old = must_open(path, false);
    save(old, 5, 0);
    must_not_open(path, true, ELM_EXIT_FAILURE, "claim-1");
    setenv("SLURM_RESTART_COUNT", "1", 1);
    elm_run_folder *now = must_open(path, true);
    assert_int_equal(elm_run_folder_number(now), 2);
    char name[64];
    assert_int_equal(newest(now, name, sizeof name), 5);
    const elm_checkpoint checkpoint = {.job = "", .step = 50, .ranks = 1};
    elm_error err = {0};
    assert_int_equal(elm_run_folder_save(old, &checkpoint, 1, &err), -1);
    assert_non_null(strstr(err.text, "run 2 has taken the folder over"));
    assert_false(has(path, "checkpoint-1-50.h5"));
    save(now, 6, 1);
    assert_int_equal(newest(now, name, sizeof name), 6);
    elm_run_folder_close(old);
    elm_run_folder_close(now);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

static int write_text(elm_output *output, const void *context, elm_error *err)
{
    elm_output_write(output, context, strlen(context));
    return strcmp(context, "fails") ? 0 : elm_error_set(err, ELM_EXIT_FAILURE, "it fails");
}

static void must_read(const char *folder, const char *name, const char *text)
{
    char path[1024], got[64] = "";
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fread(got, 1, sizeof got - 1, file), strlen(text));
    assert_string_equal(got, text);
    fclose(file);
}

/* metrics.csv and its like: whole or not at all, and not from a run that was taken over. */
static void files_are_fenced(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("fenced"));
    setenv("SLURM_JOB_ID", "99", 1);
    elm_run_folder *old = must_open(path, false);
    elm_error err = {0};
    assert_int_equal(elm_run_folder_write(old, "metrics.csv", write_text, "one", &err), 0);
    assert_int_equal(elm_run_folder_write(old, "metrics.csv", write_text, "fails", &err), -1);
    assert_string_equal(err.text, "it fails");
    must_read(path, "metrics.csv", "one");
    put(path, "metrics.csv.tmp-1", "left behind");
    setenv("SLURM_RESTART_COUNT", "1", 1);
    elm_run_folder *now = must_open(path, true);
    assert_false(has(path, "metrics.csv.tmp-1"));
    assert_int_equal(elm_run_folder_write(now, "metrics.csv", write_text, "two", &err), 0);
    assert_int_equal(elm_run_folder_write(old, "metrics.csv", write_text, "three", &err), -1);
    assert_non_null(strstr(err.text, "run 2 has taken the folder over"));
    must_read(path, "metrics.csv", "two");
    assert_false(has(path, "metrics.csv.tmp-1"));
    elm_run_folder_close(old);
    elm_run_folder_close(now);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

static void abandoned_is_as_before(void **state)
{
    (void)state;
    char path[600];
    snprintf(path, sizeof path, "%s", scratch_path("abandoned"));
    elm_run_folder_abandon(must_open(path, false));
    assert_false(has(scratch_folder, "abandoned"));
    elm_run_folder_abandon(NULL);
    mkdir(path, 0777);
    elm_run_folder_abandon(must_open(path, false));
    assert_true(has(scratch_folder, "abandoned")); /* somebody else's */
    elm_run_folder_close(must_open(path, false));
    elm_run_folder_abandon(must_open(path, true));
    assert_true(has(path, "claim-1"));
    assert_false(has(path, "claim-2"));
}

/* Many starts at the same moment: one gets the folder. */
static void race_has_one_winner(void **state)
{
    (void)state;
    enum { STARTS = 8, ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        char name[32];
        int go[2], done[2], won = 0;
        snprintf(name, sizeof name, "race-%d", round);
        const char *path = scratch_path(name);
        pid_t children[STARTS];
        assert_int_equal(pipe(go) | pipe(done), 0);
        for (int i = 0; i < STARTS; i++) {
            children[i] = fork();
            if (children[i] == 0) {
                elm_run_folder *folder;
                char answer = 0;
                close(go[1]);
                if (read(go[0], &answer, 1) != 0) /* ends when the parent closes it */
                    _exit(1);
                answer = elm_run_folder_open(&folder, path, true, NULL) ? 'n' : 'y';
                if (write(done[1], &answer, 1) == 1)
                    pause(); /* a winner lives on */
                _exit(0);
            }
        }
        close(go[0]);
        close(go[1]);
        for (int i = 0; i < STARTS; i++) {
            char answer;
            assert_int_equal(read(done[0], &answer, 1), 1);
            won += answer == 'y';
        }
        for (int i = 0; i < STARTS; i++) {
            kill(children[i], SIGKILL);
            waitpid(children[i], NULL, 0);
        }
        close(done[0]);
        close(done[1]);
        assert_int_equal(won, 1);
    }
}

static int no_leaks(void **state)
{
    (void)state;
    return elm_alloc_live() != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(folders_are_made, no_leaks),
        cmocka_unit_test_teardown(earlier_run_needs_resume, no_leaks),
        cmocka_unit_test_teardown(numbers_pass_those_of_checkpoints, no_leaks),
        cmocka_unit_test_teardown(numbers_pass_those_of_best_ones, no_leaks),
        cmocka_unit_test_teardown(best_follows_the_checkpoint, no_leaks),
        cmocka_unit_test_teardown(oldest_are_deleted, no_leaks),
        cmocka_unit_test_teardown(newest_good_one_is_found, no_leaks),
        cmocka_unit_test_teardown(damaged_ones_do_not_count, no_leaks),
        cmocka_unit_test_teardown(live_owner_is_respected, no_leaks),
        cmocka_unit_test_teardown(claims_are_judged, no_leaks),
        cmocka_unit_test_teardown(silent_hosts_have_ended, no_leaks),
        cmocka_unit_test_teardown(numbers_end, no_leaks),
        cmocka_unit_test_teardown(settles_what_a_kill_left, no_leaks),
        cmocka_unit_test_teardown(restarted_job_takes_over, no_leaks),
        cmocka_unit_test_teardown(files_are_fenced, no_leaks),
        cmocka_unit_test_teardown(abandoned_is_as_before, no_leaks),
        cmocka_unit_test_teardown(race_has_one_winner, no_leaks),
        cmocka_unit_test(no_handle_left_open),
    };
    unsetenv("SLURM_JOB_ID"); /* the tests may themselves run under a scheduler */
    unsetenv("SLURM_RESTART_COUNT");
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
