/* Run folders: who may write. */
#include "unit/run_folder_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(live_owner_is_respected, no_leaks),
        cmocka_unit_test_teardown(claims_are_judged, no_leaks),
        cmocka_unit_test_teardown(silent_hosts_have_ended, no_leaks),
        cmocka_unit_test_teardown(numbers_end, no_leaks),
        cmocka_unit_test_teardown(restarted_job_takes_over, no_leaks),
        cmocka_unit_test_teardown(race_has_one_winner, no_leaks),
        cmocka_unit_test(no_handle_left_open),
    };
    leave_scheduler();
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
