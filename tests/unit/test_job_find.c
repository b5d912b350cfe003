/* Which file a job's name leads to, and what is said where there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "job/names.h"
#include "scratch.h"

static void write_file(const char *name)
{
    FILE *file = fopen(scratch_path(name), "w");
    assert_non_null(file);
    fclose(file);
}

/* A folder of jobs that holds these files. */
static void write_jobs(const char *folder, const char *const *names, int count)
{
    static const char *const below[] = {"", "/setups", "/methods"};
    char path[100];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", folder, below[i]);
        assert_int_equal(mkdir(scratch_path(path), 0700), 0);
    }
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s.ini", folder, names[i]);
        write_file(path);
    }
}

static void assert_found(const char *given, const char *expected)
{
    char path[ELM_JOB_PATH_SIZE];
    elm_error err = {0};
    assert_int_equal(elm_job_find(given, path, &err), 0);
    assert_string_equal(path, expected);
}

static elm_error refused(const char *given)
{
    char path[ELM_JOB_PATH_SIZE];
    elm_error err = {0};
    assert_int_equal(elm_job_find(given, path, &err), -1);
    assert_int_equal(err.code, 2);
    return err;
}

static void a_path_is_itself(void **state)
{
    (void)state;
    const char *path = scratch_path("here.ini");
    assert_found(path, path);
    assert_found("here.ini", "here.ini");
    assert_found("here", "here.ini");
    assert_found("/dev/null", "/dev/null");
    assert_found("/tmp", "/tmp"); /* reading it says that it is a folder */
}

static void names_are_looked_up(void **state)
{
    (void)state;
    setenv("ELMPI_JOBS", "/nowhere::own", 1);
    assert_found("mine", "own/mine.ini");
    assert_found("mine.ini", "own/mine.ini");
    assert_found("here", "here.ini"); /* the working folder goes before */
    setenv("ELMPI_JOBS", scratch_path("own"), 1);
    assert_found("mine", scratch_path("own/mine.ini"));
    unsetenv("ELMPI_JOBS");
    refused("mine");
}

static void installed_jobs_are_found(void **state)
{
    (void)state;
    unsetenv("ELMPI_JOBS");
    char path[ELM_JOB_PATH_SIZE];
    elm_error err = {0};
    assert_int_equal(elm_job_find("digits-elm", path, &err), 0);
    assert_int_equal(access(path, F_OK), -1); /* a set-up and a method */
    assert_non_null(strstr(path, "jobs/digits-elm.ini"));
    assert_int_equal(mkdir("digits-elm", 0700), 0); /* a folder of that name is no job */
    assert_int_equal(elm_job_find("digits-elm", path, &err), 0);
    assert_non_null(strstr(path, "jobs/digits-elm.ini"));
    assert_int_equal(elm_job_find("cifar10-lt-elm", path, &err), 0);
    assert_int_equal(access(path, R_OK), 0);
}

static void assert_composed(const char *path, const char *setup, const char *method)
{
    elm_job_pair pair;
    assert_true(elm_job_compose(path, &pair));
    assert_string_equal(pair.setup, setup);
    assert_string_equal(pair.method, method);
}

static void a_set_up_and_a_method_are_a_job(void **state)
{
    (void)state;
    static const char *const files[] = {"own",         "a-y",         "setups/a",  "setups/a-b",
                                        "setups/c,d",  "methods/x",   "methods/y", "methods/b-x",
                                        "methods/b-z", "methods/y-y", "plain-x"};
    static const char *const never[] = {
        "pairs/a-q.ini", "pairs/q-x.ini", "pairs/a-.ini", "pairs/-x.ini",    "pairs/a.ini",
        "pairs/a-x",     "pairs/ax.ini",  "pairs/.ini",   "pairs/c,d-x.ini", "nowhere/a-x.ini"};
    elm_job_pair pair;
    unsetenv("ELMPI_JOBS");
    write_jobs("pairs", files, sizeof files / sizeof *files);
    assert_composed("pairs/a-x.ini", "a", "x");
    assert_composed("pairs/a-y-y.ini", "a", "y-y");
    assert_composed("pairs/a-b-x.ini", "a-b", "x"); /* not a and b-x */
    assert_composed("pairs/a-b-z.ini", "a", "b-z");
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        if (elm_job_compose(never[i], &pair))
            fail_msg("%s is %s and %s", never[i], pair.setup, pair.method);
    assert_int_equal(mkdir("pairs/methods/folder.ini", 0700), 0);
    assert_false(elm_job_compose("pairs/a-folder.ini", &pair));

    assert_found("pairs/a-x.ini", "pairs/a-x.ini");
    assert_found(scratch_path("pairs/a-x.ini"), scratch_path("pairs/a-x.ini"));
    refused("pairs/a-x");
    assert_non_null(strstr(refused("pairs/a-b-q.ini").text, "did you mean pairs/a-b-x.ini?"));
    setenv("ELMPI_JOBS", "pairs", 1);
    assert_found("a-x", "pairs/a-x.ini");
    assert_found("a-b-y.ini", "pairs/a-b-y.ini");
    assert_int_equal(chdir("pairs"), 0);
    assert_found("a-x", "a-x.ini"); /* the working folder's */
    assert_found("a-x.ini", "a-x.ini");
    assert_int_equal(chdir(".."), 0);
}

static void names_are_listed(void **state)
{
    (void)state;
    static const char *const files[] = {"zero",      "a-y",       "setups/a",     "setups/b",
                                        "methods/x", "methods/y", "not.a.job.txt"};
    static const char *const more[] = {"a-x", "zero", "setups/a", "methods/x"};
    static const struct {
        const char *name, *method;
        int folder;
    } expected[] = {{"a-x", "x", 0}, {"a-y", "", 0},           {"b-x", "x", 0},
                    {"b-y", "y", 0}, {"not.a.job.txt", "", 0}, {"zero", "", 0}};
    elm_job_folders folders = {.path = {"first", "nowhere", "second"}, .count = 3};
    elm_job_names names;
    elm_error err = {0};
    write_jobs("first", files, sizeof files / sizeof *files);
    write_jobs("second", more, sizeof more / sizeof *more);
    write_file("first/notes.txt");
    assert_int_equal(elm_job_names_find(&names, &folders, &err), 0);
    assert_int_equal(names.count, 6);
    for (int i = 0; i < names.count; i++) {
        assert_string_equal(names.all[i].name, expected[i].name);
        assert_string_equal(names.all[i].method, expected[i].method);
        assert_int_equal(names.all[i].folder, expected[i].folder);
    }
    elm_free(names.all);
    folders.count = 0;
    assert_int_equal(elm_job_names_find(&names, &folders, &err), 0);
    assert_int_equal(names.count, 0);
    elm_free(names.all);
    assert_int_equal(elm_alloc_live(), 0);
}

static void what_is_not_there_is_told(void **state)
{
    (void)state;
    setenv("ELMPI_JOBS", "/nowhere", 1);
    elm_error err = refused("digits-eml");
    assert_non_null(strstr(err.text, "/nowhere"));
    assert_non_null(strstr(err.text, "jobs"));
    assert_non_null(strstr(err.text, "did you mean digits-elm?"));
    err = refused("nothing-like-any-of-them");
    assert_null(strstr(err.text, "did you mean"));
    assert_non_null(strstr(err.text, "ELMPI_JOBS"));
    err = refused("jobs/digits-elm.ini");
    assert_non_null(strstr(err.text, "jobs/digits-elm.ini"));
    assert_non_null(strstr(err.text, "the name alone, digits-elm,"));
    assert_non_null(strstr(refused("own/mime.ini").text, "did you mean own/mine.ini?"));
    char longest[2000];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    refused(longest);
    longest[900] = 0;
    refused(longest);
}

static int set_up(void **state)
{
    if (scratch_setup(state) || chdir(scratch_folder) || mkdir("own", 0700))
        return -1;
    write_file("here.ini");
    write_file("own/mine.ini");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_itself),
        cmocka_unit_test(names_are_looked_up),
        cmocka_unit_test(installed_jobs_are_found),
        cmocka_unit_test(what_is_not_there_is_told),
        cmocka_unit_test(a_set_up_and_a_method_are_a_job),
        cmocka_unit_test(names_are_listed),
    };
    return cmocka_run_group_tests(tests, set_up, scratch_teardown);
}
