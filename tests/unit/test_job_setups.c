/* Set-ups and methods that make a job together, its name, and how it differs from a paper's
 * set-up. */
#define _GNU_SOURCE /* asprintf */
#include "unit/job_fixture.h"

typedef struct named_options {
    char name[ELM_TEXT_SIZE];
} named_options;

static int check_plain(const char *value, elm_error *err)
{
    return !strchr(value, '$') ? 0
                               : elm_error_set(err, ELM_EXIT_USAGE,
                                               "\"%s\" is no name (run.name): use another", value);
}

static const elm_option named_rows[] = {
    {"run.name", ELM_OPTION_TEXT, offsetof(named_options, name), elm_option_stem, 0, 0, NULL,
     check_plain, NULL, "name"},
    {0},
};

static void assert_named(const char *path, const char *override, const char *expected)
{
    named_options run;
    elm_job *job;
    elm_error err = {0};
    const elm_option_set set = {named_rows, &run};
    if (elm_job_load(&job, path, &override, override ? 1 : 0, &set, 1, &err))
        fail_msg("%s", err.text);
    assert_string_equal(run.name, expected);
    assert_non_null(strstr(elm_job_text(job), expected));
    elm_job_destroy(job);
}

static void refuse_named(const char *path, const char *text, const char *message)
{
    named_options run;
    elm_job *job;
    elm_error err = {0};
    const elm_option_set set = {named_rows, &run};
    const int status = path ? elm_job_load(&job, path, NULL, 0, &set, 1, &err)
                            : elm_job_parse(&job, text, "a.ini", NULL, 0, &set, 1, &err);
    assert_int_equal(status, -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

/* The default of run.name: that of the file that was started, not of one that it includes. */
static void jobs_are_named_after_their_file(void **state)
{
    (void)state;
    family files;
    begin_family(&files);
    const char *below = add_file(&files, "sub/below.ini", "; nothing\n");
    const char *top = add_file(&files, "my job.v2.ini", "[job]\ninclude = sub/below.ini\n");
    const char *bare = add_file(&files, "bare", "[run]\n");
    const char *own = add_file(&files, "own.ini", "[run]\nname = other\n");
    assert_named(below, NULL, "below");
    assert_named(top, NULL, "my job.v2");
    assert_named(top, "run.name=b", "b");
    assert_named(bare, NULL, "bare");
    assert_named(own, NULL, "other");
    refuse_named(add_file(&files, "a$b.ini", ""), NULL, "\"a$b\" is no name (run.name, ");
    refuse_named(add_file(&files, ";.ini", ""), NULL, "run.name holds a \";\"");
    refuse_named(add_file(&files, "empty.ini", "[run]\nname =\n"), NULL, "run.name is empty (");
    refuse_named("/dev/null", NULL, "run.name is missing (/dev/null)");
    refuse_named(NULL, "", "run.name is missing (a.ini)");
    end_family(&files);
}

/* folder/base-method.ini, which is no file: setups/base.ini and methods/method.ini. */
static void set_ups_and_methods_make_jobs(void **state)
{
    (void)state;
    family files;
    fixture f;
    char path[200];
    begin_family(&files);
    add_file(&files, "setups/base.ini", "[run]\nname = base\n[optim]\nlr = 1\nbatch = 7\n");
    add_file(&files, "methods/plain.ini", "[optim]\nlr = 2\n");
    add_file(&files, "methods/broken.ini", "[optim]\nlrr = 2\n");
    add_file(&files, "methods/round.ini", "[job]\ninclude = ../base-round.ini\n");
    snprintf(path, sizeof path, "%s/base-plain.ini", files.folder);
    if (load(&f, path, NULL, 0))
        fail_msg("%s", f.err.text);
    assert_true(f.optim.lr == 2 && f.optim.batch == 7);
    assert_non_null(strstr(elm_job_origin(f.job), "base-plain.ini, which includes\n; "));
    assert_non_null(strstr(elm_job_origin(f.job), "/setups/base.ini\n; "));
    assert_non_null(strstr(elm_job_origin(f.job), "/methods/plain.ini\n\n"));
    elm_job_destroy(f.job);
    add_file(&files, "setups/bare.ini", "");
    add_file(&files, "methods/none.ini", "");
    snprintf(path, sizeof path, "%s/bare-none.ini", files.folder);
    assert_named(path, NULL, "bare-none");

    const char *top =
        add_file(&files, "top.ini", "[job]\ninclude = base-plain.ini\n[optim]\nbatch = 8\n");
    assert_int_equal(load(&f, top, NULL, 0), 0);
    assert_true(f.optim.lr == 2 && f.optim.batch == 8);
    elm_job_destroy(f.job);
    snprintf(path, sizeof path, "%s/base-broken.ini", files.folder);
    assert_int_equal(load(&f, path, NULL, 0), -1);
    assert_non_null(strstr(f.err.text, "methods/broken.ini:2): did you mean optim.lr?"));
    snprintf(path, sizeof path, "%s/base-round.ini", files.folder);
    assert_int_equal(load(&f, path, NULL, 0), -1);
    assert_non_null(strstr(f.err.text, "base.ini is included twice"));
    const char *twice =
        add_file(&files, "twice.ini", "[job]\ninclude = base-plain.ini, setups/base.ini\n");
    assert_int_equal(load(&f, twice, NULL, 0), -1);
    assert_non_null(strstr(f.err.text, "setups/base.ini is included twice"));
    const char *own =
        add_file(&files, "base-plain.ini", "[run]\nname = a file\n"); /* goes before the pair */
    assert_int_equal(load(&f, own, NULL, 0), 0);
    assert_string_equal(f.run.name, "a file");
    assert_string_equal(elm_job_origin(f.job), "");
    elm_job_destroy(f.job);
    end_family(&files);
}

static void differences_from_a_setup(void **state)
{
    (void)state;
    family files;
    fixture f;
    begin_family(&files);
    add_file(&files, "base.ini",
             "[run]\nnote = no part of it\n[job]\nsetup = paper\n[optim]\nlr = 1\nbatch = "
             "7\nschedule = multistep\nmilestones = 96,192\n");
    const char *plain = add_file(&files, "plain.ini",
                                 "[job]\ninclude = base.ini\n[run]\nname = a\nnote = "
                                 "b\n[optim]\nlr = 1.0\nnesterov = true\n");
    const char *other =
        add_file(&files, "other.ini", "[job]\ninclude = plain.ini\n[optim]\nbatch = 8\n");
    assert_int_equal(load(&f, plain, NULL, 0), 0);
    assert_null(elm_job_differences(f.job)); /* what the set-up does not speak of may be anything */
    elm_job_destroy(f.job);
    static const char *const rate[] = {"optim.lr=0.5", "run.name=c"},
                             *const schedule[] = {"optim.schedule=cosine"},
                             *const back[] = {"optim.batch=7"};
    assert_int_equal(load(&f, other, rate, 2), 0);
    assert_string_equal(elm_job_differences(f.job),
                        "differs from the paper's set-up: optim.lr 0.5 (1), optim.batch 8 (7)");
    elm_job_destroy(f.job);
    assert_int_equal(load(&f, plain, schedule, 1), 0); /* milestones have no meaning then */
    assert_string_equal(elm_job_differences(f.job),
                        "differs from the paper's set-up: optim.schedule cosine (multistep)");
    elm_job_destroy(f.job);
    assert_int_equal(load(&f, other, back, 1), 0);
    assert_null(elm_job_differences(f.job));
    elm_job_destroy(f.job);
    end_family(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(jobs_are_named_after_their_file, no_leaks),
        cmocka_unit_test_teardown(set_ups_and_methods_make_jobs, no_leaks),
        cmocka_unit_test_teardown(differences_from_a_setup, no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
