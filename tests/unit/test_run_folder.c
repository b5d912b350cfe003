/* Run folders: which checkpoint is the newest, what is deleted, and which files are replaced. */
#include "unit/run_folder_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(folders_are_made, no_leaks),
        cmocka_unit_test_teardown(earlier_run_needs_resume, no_leaks),
        cmocka_unit_test_teardown(numbers_pass_those_of_checkpoints, no_leaks),
        cmocka_unit_test_teardown(oldest_are_deleted, no_leaks),
        cmocka_unit_test_teardown(newest_good_one_is_found, no_leaks),
        cmocka_unit_test_teardown(damaged_ones_do_not_count, no_leaks),
        cmocka_unit_test_teardown(settles_what_a_kill_left, no_leaks),
        cmocka_unit_test_teardown(files_are_fenced, no_leaks),
        cmocka_unit_test_teardown(abandoned_is_as_before, no_leaks),
        cmocka_unit_test(no_handle_left_open),
    };
    leave_scheduler();
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
