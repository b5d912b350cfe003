/* Job files: values, defaults, overrides, notes, the resolved text, and what is said about every
 * kind of mistake. */
#define _GNU_SOURCE /* asprintf */
#include "unit/job_fixture.h"

static void values_and_defaults(void **state)
{
    (void)state;
    fixture f;
    must_parse(&f, "; a comment\n[run]\nname = digits ; inline\n# "
                   "another\n\n[optim]\nlr=0.1\nbatch : 64\nnesterov = true\nschedule = multistep\n"
                   "milestones = 1, 2.5 ,30\n[run]\nnote = a;b\n");
    assert_string_equal(f.run.name, "digits");
    assert_string_equal(f.run.note, "a;b");
    assert_true(f.optim.lr == 0.1);
    assert_int_equal(f.optim.batch, 64);
    assert_true(f.optim.nesterov);
    assert_int_equal(f.optim.schedule, 1);
    assert_int_equal(f.optim.milestones.count, 3);
    assert_true(f.optim.milestones.value[1] == 2.5 && f.optim.milestones.value[2] == 30);
    assert_true(f.optim.gamma == 0.1 && f.optim.free == -1.5);
    assert_null(elm_job_note(f.job, 0));
    elm_job_destroy(f.job);
}

static void line_ends_indentation_and_mark(void **state)
{
    (void)state;
    fixture f;
    must_parse(&f, "\xEF\xBB\xBF[run]\r\n  name = two words\r\n\tnote = \xC3\xA4\r\n[optim] ; "
                   "comment\r\nlr = 1e-3\r\n");
    assert_string_equal(f.run.name, "two words");
    assert_string_equal(f.run.note, "\xC3\xA4");
    assert_true(f.optim.lr == 1e-3);
    elm_job_destroy(f.job);
    must_parse(&f, "[run]\nname = x"); /* no end of line */
    elm_job_destroy(f.job);
}

static void text_resolves_to_itself(void **state)
{
    (void)state;
    fixture f, g;
    const char *const overrides[] = {"optim.lr=0.30000000000000004", "optim.free = 1e-300",
                                     "optim.schedule=multistep",
                                     "optim.milestones=", "run.note=x = y"};
    assert_int_equal(parse(&f, "[run]\nname = a\n", overrides, 5), 0);
    assert_non_null(strstr(elm_job_text(f.job), "lr = 0.30000000000000004\n"));
    assert_non_null(strstr(elm_job_text(f.job), "gamma = 0.1\n"));
    must_parse(&g, elm_job_text(f.job));
    assert_string_equal(elm_job_text(g.job), elm_job_text(f.job));
    assert_null(elm_job_note(g.job, 0));
    assert_true(g.optim.lr == f.optim.lr && g.optim.free == f.optim.free);
    assert_int_equal(g.optim.milestones.count, 0);
    assert_string_equal(g.run.note, "x = y");
    elm_job_destroy(f.job);
    elm_job_destroy(g.job);
}

/* inih's buffer holds 200 bytes in most builds: longer values must arrive whole. */
static void long_values_are_not_cut(void **state)
{
    (void)state;
    fixture f, g;
    char text[2048], value[ELM_TEXT_SIZE];
    memset(value, 'p', sizeof value);
    value[sizeof value - 1] = 0;
    value[250] = ';';
    value[300] = '=';
    value[320] = ' ';
    snprintf(text, sizeof text, "[run]\n  name = %s ; and a comment\r\n; %s\nnote = n\n", value,
             value);
    must_parse(&f, text);
    assert_string_equal(f.run.name, value);
    assert_string_equal(f.run.note, "n");
    must_parse(&g, elm_job_text(f.job));
    assert_string_equal(g.run.name, value);
    elm_job_destroy(f.job);
    elm_job_destroy(g.job);
    snprintf(text, sizeof text, "[run]\nname = %sxx\n", value);
    assert_int_equal(parse(&f, text, NULL, 0), -1);
    assert_non_null(strstr(f.err.text, "longer than 511"));
}

static void overrides_replace(void **state)
{
    (void)state;
    fixture f;
    const char *const overrides[] = {"optim.lr=2", "optim.lr = 3 ", "run.name=b"};
    assert_int_equal(parse(&f, "[run]\nname = a\n[optim]\nlr = 1\n", overrides, 3), 0);
    assert_true(f.optim.lr == 3);
    assert_string_equal(f.run.name, "b");
    elm_job_destroy(f.job);
}

static void unused_keys_are_ignored_with_a_note(void **state)
{
    (void)state;
    fixture f;
    must_parse(&f, "[run]\nname = a\npull.lambda = 2\n[optim]\ngamma = 0.5\nmilestones = 96,192\n");
    assert_true(f.optim.gamma == 0.1 && f.run.lambda == 0.01);
    assert_string_equal(elm_job_note(f.job, 0), "run.pull.lambda is ignored (a.ini:3): it has a "
                                                "meaning only with run.embed other than none");
    assert_string_equal(elm_job_note(f.job, 1),
                        "optim.gamma is ignored (a.ini:5): it has a meaning only with "
                        "optim.schedule = multistep or constant");
    assert_null(elm_job_note(f.job, 2)); /* milestones: given, but as they would be anyway */
    assert_null(elm_job_note(f.job, -1));
    elm_job_destroy(f.job);
    must_parse(&f, "[run]\nname = a\nembed = pull\npull.lambda = 2\n[optim]\nschedule = "
                   "constant\ngamma = 0.5\n");
    assert_true(f.optim.gamma == 0.5 && f.run.lambda == 2);
    assert_null(elm_job_note(f.job, 0));
    elm_job_destroy(f.job);
}

static void mistakes_in_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"[optim]\nlrr = 1", "unknown key optim.lrr (a.ini:2): did you mean optim.lr?"},
        {"[optim]\nname = 1", "unknown key optim.name (a.ini:2): did you mean run.name?"},
        {"[optim]\nxyzzy = 1", "use one of lr, batch, nesterov, schedule, milestones, gamma, free"},
        {"[optin]\nlr = 1", "unknown section [optin] (a.ini:2): did you mean [optim]?"},
        {"[weather]\nlr = 1", "unknown section [weather] (a.ini:2): use one of [run] [optim]"},
        {"[run.pull]\nlambda = 1", "unknown section [run.pull] (a.ini:2)"},
        {"[run]\nname=a\n[optim]\nlr = fast",
         "optim.lr = fast is no number (a.ini:4): give a number from 0 to 100"},
        {"[optim]\nlr = 1x", "optim.lr = 1x is no number"},
        {"[optim]\nlr = nan", "is no number"},
        {"[optim]\nlr =", "optim.lr =  is no number (a.ini:2)"},
        {"[optim]\nlr = -1",
         "optim.lr = -1 is out of range (a.ini:2): give a number from 0 to 100"},
        {"[optim]\nbatch = 1.5",
         "optim.batch = 1.5 is no whole number (a.ini:2): give a whole number from 1 to 4096"},
        {"[optim]\nbatch = 99999999999999999999", "is out of range"},
        {"[optim]\nnesterov = yes",
         "optim.nesterov = yes is neither (a.ini:2): give true or false"},
        {"[optim]\nschedule = cosin",
         "(a.ini:2): did you mean cosine? Else give constant, multistep or cosine"},
        {"[optim]\nmilestones = 1,,2", "is no list of numbers"},
        {"[optim]\nmilestones = 1,", "is no list of numbers"},
        {"[optim]\nmilestones = 1,2000", "is out of range"},
        {"[optim]\nmilestones = 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "more than 16 numbers"},
        {"[optim]\nlr = 1\nbatch = 2\nlr = 1",
         "optim.lr is given twice (a.ini:4 and line 2): remove one of them"},
        {"[optim]\nlr = 1",
         "run.name is missing (a.ini): add \"name = ...\" under [run], or --set run.name=..."},
        {"[run]\nname =", "run.name is empty (a.ini:2)"},
        {"[run]\nname = a\nnote = bad", "\"bad\" is no note (run.note, a.ini:3): use another"},
        {"[run]\nname = a\tb", "control character (a.ini:2)"},
        {"name = a", "\"name\" stands before the first section (a.ini:1)"},
        {"[run]\nname = a\nnonsense\n", "not understood (a.ini:3)"},
        {"[run\nname = a", "not understood (a.ini:1)"},
        {"[run] name = a", "something follows the section's bracket (a.ini:1)"},
        {"[run]\nbroken line\n[optim]\nlrr = 1", "not understood (a.ini:2)"},
        {"[optim]\nlrr = 1\nbroken line", "unknown key optim.lrr (a.ini:2)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;
        if (!parse(&f, rows[i].text, NULL, 0))
            fail_msg("accepted: %s", rows[i].text);
        assert_null(f.job);
        assert_int_equal(f.err.code, ELM_EXIT_USAGE);
        if (!strstr(f.err.text, rows[i].message))
            fail_msg("\"%s\" lacks \"%s\"", f.err.text, rows[i].message);
    }
}

static void mistakes_in_overrides(void **state)
{
    (void)state;
    static const struct {
        const char *override, *message;
    } rows[] = {
        {"optim.lr", "is no override (--set)"},
        {"lr=1", "is no override (--set)"},
        {"optim.lrr=1", "unknown key optim.lrr (--set): did you mean optim.lr?"},
        {"optin.lr=1", "unknown section [optin] (--set): did you mean [optim]?"},
        {"optim.lr=x", "optim.lr = x is no number (--set)"},
        {"run.name=a ; b", "begins a comment in job files (--set)"},
        {"run.name=;", "begins a comment"},
        {"run.name=a\nb", "control character (--set)"},
        {"run.name=", "run.name is empty (--set)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fixture f;
        if (!parse(&f, "[run]\nname = a\n", &rows[i].override, 1))
            fail_msg("accepted: %s", rows[i].override);
        assert_int_equal(f.err.code, ELM_EXIT_USAGE);
        if (!strstr(f.err.text, rows[i].message))
            fail_msg("\"%s\" lacks \"%s\"", f.err.text, rows[i].message);
    }
}

/* Loads a file with these bytes; the error's text must hold `message`. */
static void refuse_file(const char *bytes, size_t size, const char *message)
{
    char path[] = "/tmp/elmpi-job-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
    run_options run;
    elm_job *job;
    elm_error err = {0};
    const elm_option_set set = {run_rows, &run};
    const int status = elm_job_load(&job, path, NULL, 0, &set, 1, &err);
    unlink(path);
    assert_int_equal(status, -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static void unreadable_files(void **state)
{
    (void)state;
    run_options run;
    elm_job *job;
    elm_error err = {0};
    const elm_option_set set = {run_rows, &run};
    assert_int_equal(elm_job_load(&job, "/nowhere/a.ini", NULL, 0, &set, 1, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "/nowhere/a.ini"));
    assert_int_equal(elm_job_load(&job, "/tmp", NULL, 0, &set, 1, &err), -1);
    assert_non_null(strstr(err.text, "directory"));
    const size_t size = (1 << 20) + 1;
    char *large = malloc(size);
    memset(large, '\n', size);
    refuse_file(large, size, "larger than 1 MiB");
    free(large);
    refuse_file("[run]\nname = \0a", 15, "zero bytes");
    refuse_file("", 0, "run.name is missing");
}

static void jobs_are_compared(void **state)
{
    (void)state;
    static const char before[] = "[run]\nname = a\n\n[optim]\nlr = 0.1\nbatch = 64\n";
    static const char *const allowed[] = {"run.", "optim.batch", NULL}, *const none[] = {NULL};
    elm_error err = {0};
    assert_int_equal(elm_job_compare(before, before, none, &err), 0);
    assert_int_equal(
        elm_job_compare(before, "[run]\nname = b\n[optim]\nlr = 0.1\nbatch = 32\n", allowed, &err),
        0);
    assert_int_equal(
        elm_job_compare(before, "[run]\nname = b\n[optim]\nlr = 0.2\nbatch = 32\n", allowed, &err),
        -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "optim.lr was \"0.1\" and is now \"0.2\""));
    assert_int_equal(
        elm_job_compare(before, "[run]\nname = b\n[optim]\nbatch = 32\n", allowed, &err), -1);
    assert_non_null(strstr(err.text, "optim.lr was \"0.1\" and is now \"not known\""));
    assert_int_equal(
        elm_job_compare("[run]\nname = b\n", "[run]\nname = b\n[optim]\nlr = 1\n", allowed, &err),
        -1);
    assert_non_null(strstr(err.text, "optim.lr was \"not known\" and is now \"1\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(values_and_defaults, no_leaks),
        cmocka_unit_test_teardown(line_ends_indentation_and_mark, no_leaks),
        cmocka_unit_test_teardown(text_resolves_to_itself, no_leaks),
        cmocka_unit_test_teardown(long_values_are_not_cut, no_leaks),
        cmocka_unit_test_teardown(overrides_replace, no_leaks),
        cmocka_unit_test_teardown(unused_keys_are_ignored_with_a_note, no_leaks),
        cmocka_unit_test_teardown(mistakes_in_files, no_leaks),
        cmocka_unit_test_teardown(mistakes_in_overrides, no_leaks),
        cmocka_unit_test_teardown(unreadable_files, no_leaks),
        cmocka_unit_test_teardown(jobs_are_compared, no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
