/* Paths in job files and --set: variables and home folders, and that what was resolved once
 * stays what it is. */
#define _GNU_SOURCE /* asprintf */
#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/job.h"

typedef struct options {
    char store[ELM_TEXT_SIZE], note[ELM_TEXT_SIZE];
} options;

static const elm_option rows[] = {
    {"data.store", ELM_OPTION_PATH, offsetof(options, store), "", 0, 0, NULL, NULL, NULL, "a file"},
    {"data.note", ELM_OPTION_TEXT, offsetof(options, note), "", 0, 0, NULL, NULL, NULL, "a text"},
    {0},
};

/* The path that a job file's text, or, with `set`, --set gives. */
static int parse(const char *path, bool set, options *values, char **text, elm_error *err)
{
    char *file, *override;
    elm_job *job = NULL;
    assert_true(asprintf(&file, "[data]\n# a line\nstore = %s\n", set ? "elsewhere" : path) > 0);
    assert_true(asprintf(&override, "data.store=%s", path) > 0);
    const elm_option_set option_set = {rows, values};
    const char *const overrides[] = {override};
    const int status = elm_job_parse(&job, file, "a.ini", overrides, set, &option_set, 1, err);
    if (status == 0 && text)
        assert_non_null(*text = strdup(elm_job_text(job)));
    elm_job_destroy(job);
    free(file);
    free(override);
    return status;
}

static void check(const char *path, const char *expected)
{
    for (int set = 0; set < 2; set++) {
        options values, again;
        elm_error err = {0};
        char *text, *second;
        if (parse(path, set, &values, &text, &err))
            fail_msg("%s: %s", path, err.text);
        assert_string_equal(expected, values.store);
        const elm_option_set option_set = {rows, &again};
        elm_job *job;
        assert_int_equal(0, elm_job_parse(&job, text, "resolved", NULL, 0, &option_set, 1, &err));
        assert_non_null(second = strdup(elm_job_text(job)));
        assert_string_equal(text, second);
        /* "~x" is kept as "./~x": the same file. */
        assert_string_equal(*expected == '~' ? expected : values.store,
                            *expected == '~' ? again.store + 2 : again.store);
        elm_job_destroy(job);
        free(text);
        free(second);
    }
}

static void refused(const char *path, const char *what)
{
    for (int set = 0; set < 2; set++) {
        options values;
        elm_error err = {0};
        assert_int_equal(-1, parse(path, set, &values, NULL, &err));
        assert_int_equal(ELM_EXIT_USAGE, err.code);
        if (!strstr(err.text, what) || !strstr(err.text, set ? "--set" : "a.ini:3"))
            fail_msg("%s: \"%s\" does not say %s and where", path, err.text, what);
    }
}

static void variables(void **state)
{
    (void)state;
    setenv("ELM_A", "/scratch/a b", 1);
    setenv("ELM_A2", "two", 1);
    check("$ELM_A/shards", "/scratch/a b/shards");
    check("${ELM_A}2/x", "/scratch/a b2/x");
    check("$ELM_A2/x", "two/x");
    check("x/$ELM_A2$ELM_A2", "x/twotwo");
    check("cost$$ELM_A", "cost$ELM_A");
    check("$$", "$");
    check("plain/path.h5", "plain/path.h5");
    setenv("ELM_A", "$ELM_A2", 1); /* a value is not expanded again */
    check("$ELM_A/x", "$ELM_A2/x");
    setenv("ELM_A", "~", 1);
    check("$ELM_A/x", "~/x");
}

/* "[job] data_set = name" makes $data_set. */
static int parse_named(const char *declaration, const char *path, const char *override,
                       options *values, elm_error *err)
{
    char *file;
    elm_job *job = NULL;
    assert_true(asprintf(&file, "[job]\n%s\n[data]\nstore = %s\n", declaration, path) > 0);
    const elm_option_set option_set = {rows, values};
    const int status =
        elm_job_parse(&job, file, "a.ini", &override, override ? 1 : 0, &option_set, 1, err);
    elm_job_destroy(job);
    free(file);
    return status;
}

static void the_data_set(void **state)
{
    (void)state;
    static const char declared[] = "data_set = cifar100-lt";
    static const char *const paths[][2] = {
        {"runs/$data_set-ce/x", "runs/cifar100-lt-ce/x"},
        {"${data_set}2", "cifar100-lt2"},
        {"$$data_set", "$data_set"},
        {"$data_setting", "other"},
        {"$data_set$data_set", "cifar100-ltcifar100-lt"},
    };
    options values;
    elm_error err = {0};
    unsetenv("data_set");
    setenv("data_setting", "other", 1);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (parse_named(declared, paths[i][0], NULL, &values, &err))
            fail_msg("%s", err.text);
        assert_string_equal(values.store, paths[i][1]);
    }
    assert_int_equal(parse_named(declared, "x", "data.store=$data_set.h5", &values, &err), 0);
    assert_string_equal(values.store, "cifar100-lt.h5");
    assert_int_equal(parse_named("", "$data_set.h5", NULL, &values, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(
        strstr(err.text,
               "data.store = $data_set.h5 needs the data set's name (a.ini:4): include a set-up"));
    setenv("data_set", "mine", 1); /* the environment's, where no file declares one */
    assert_int_equal(parse_named("", "$data_set.h5", NULL, &values, &err), 0);
    assert_string_equal(values.store, "mine.h5");
    assert_int_equal(parse_named(declared, "$data_set.h5", NULL, &values, &err), 0);
    assert_string_equal(values.store, "cifar100-lt.h5");
    unsetenv("data_set");
}

static void homes(void **state)
{
    (void)state;
    const struct passwd *root = getpwnam("root");
    char expected[600];
    setenv("HOME", "/home/me", 1);
    check("~", "/home/me");
    check("~/shards", "/home/me/shards");
    check("a/~/b", "a/~/b");
    check("a~", "a~");
    check("./~/b", "./~/b");
    if (root) {
        snprintf(expected, sizeof expected, "%s/x", root->pw_dir);
        check("~root/x", expected);
    }
    unsetenv("HOME");
    const struct passwd *me = getpwuid(getuid());
    if (me) {
        snprintf(expected, sizeof expected, "%s/x", me->pw_dir);
        check("~/x", expected);
    }
    refused("~no-such-user-here/x", "no-such-user-here");
}

static void mistakes(void **state)
{
    (void)state;
    unsetenv("ELM_NONE");
    setenv("ELM_EMPTY", "", 1);
    refused("$ELM_NONE/x", "variable ELM_NONE, which is not set");
    refused("${ELM_NONE}/x", "variable ELM_NONE, which is not set");
    refused("a/$ELM_EMPTY/x", "variable ELM_EMPTY, which is empty");
    refused("$", "begins no name");
    refused("a$/x", "begins no name");
    refused("$1", "begins no name");
    refused("$(hostname)", "begins no name");
    refused("${ELM_NONE:-x}", "begins no name");
    refused("${ELM_NONE", "begins no name");
    char value[ELM_TEXT_SIZE];
    memset(value, 'p', sizeof value);
    value[sizeof value - 1] = 0;
    setenv("ELM_LONG", value, 1);
    check("$ELM_LONG", value);
    refused("$ELM_LONG/", "longer than 511");
    memset(value, '$', sizeof value - 1); /* would not fit when written down */
    setenv("ELM_LONG", value, 1);
    refused("$ELM_LONG", "longer than 511");
}

/* Other texts keep their dollars. */
static void texts_stay(void **state)
{
    (void)state;
    options values;
    const elm_option_set set = {rows, &values};
    elm_job *job;
    elm_error err;
    assert_int_equal(0, elm_job_parse(&job, "[data]\nnote = ~ costs $NOTHING\n", "a.ini", NULL, 0,
                                      &set, 1, &err));
    assert_string_equal("~ costs $NOTHING", values.note);
    elm_job_destroy(job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables), cmocka_unit_test(the_data_set), cmocka_unit_test(homes),
        cmocka_unit_test(mistakes),  cmocka_unit_test(texts_stay),
    };
    return cmocka_run_group_tests_name("paths of jobs", tests, NULL, NULL);
}
