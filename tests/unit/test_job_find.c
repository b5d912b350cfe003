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

#include "job/file.h"
#include "scratch.h"

static void write_file(const char *name)
{
    FILE *file = fopen(scratch_path(name), "w");
    assert_non_null(file);
    fclose(file);
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
    assert_int_equal(access(path, R_OK), 0);
    assert_non_null(strstr(path, "jobs/digits-elm.ini"));
    assert_int_equal(mkdir("digits-elm", 0700), 0); /* a folder of that name is no job */
    assert_int_equal(elm_job_find("digits-elm", path, &err), 0);
    assert_non_null(strstr(path, "jobs/digits-elm.ini"));
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
    };
    return cmocka_run_group_tests(tests, set_up, scratch_teardown);
}
