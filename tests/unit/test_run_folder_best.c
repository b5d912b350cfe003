/* Run folders: the best checkpoint and its link. */
#include "unit/run_folder_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(numbers_pass_those_of_best_ones, no_leaks),
        cmocka_unit_test_teardown(best_follows_the_checkpoint, no_leaks),
        cmocka_unit_test(no_handle_left_open),
    };
    leave_scheduler();
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
