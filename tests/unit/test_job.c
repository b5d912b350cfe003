/* Job files: values, defaults, overrides, notes, the resolved text, and what is said about every
 * kind of mistake. */
#define _GNU_SOURCE /* asprintf */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/job.h"
#include "elmpi/memory.h"

typedef struct optim_options {
    double lr;
    int64_t batch;
    bool nesterov;
    int schedule;
    elm_reals milestones;
    double gamma;
    double free;
} optim_options;

typedef struct run_options {
    char name[ELM_TEXT_SIZE], note[ELM_TEXT_SIZE], embed[ELM_TEXT_SIZE];
    double lambda;
} run_options;

static int check_note(const char *value, elm_error *err)
{
    return strcmp(value, "bad")
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE, "\"bad\" is no note (run.note): use another");
}

static const elm_option optim_rows[] = {
    {"optim.lr", ELM_OPTION_REAL, offsetof(optim_options, lr), "0.4", 0, 100, NULL, NULL, NULL,
     "rate"},
    {"optim.batch", ELM_OPTION_INT, offsetof(optim_options, batch), "128", 1, 4096, NULL, NULL,
     NULL, "images"},
    {"optim.nesterov", ELM_OPTION_BOOL, offsetof(optim_options, nesterov), "false", 0, 0, NULL,
     NULL, NULL, "look ahead"},
    {"optim.schedule", ELM_OPTION_CHOICE, offsetof(optim_options, schedule), "cosine", 0, 0,
     "constant|multistep|cosine", NULL, NULL, "how"},
    {"optim.milestones", ELM_OPTION_REALS, offsetof(optim_options, milestones), "96,192", 0, 1000,
     NULL, NULL, "optim.schedule=multistep", "when"},
    {"optim.gamma", ELM_OPTION_REAL, offsetof(optim_options, gamma), "0.1", 0, 1, NULL, NULL,
     "optim.schedule=multistep|constant", "factor"},
    {"optim.free", ELM_OPTION_REAL, offsetof(optim_options, free), "-1.5", 0, 0, NULL, NULL, NULL,
     "any number"},
    {0},
};

static const elm_option run_rows[] = {
    {"run.name", ELM_OPTION_TEXT, offsetof(run_options, name), NULL, 0, 0, NULL, NULL, NULL,
     "name"},
    {"run.note", ELM_OPTION_TEXT, offsetof(run_options, note), "", 0, 0, NULL, check_note, NULL,
     "a note"},
    {"run.embed", ELM_OPTION_TEXT, offsetof(run_options, embed), "none", 0, 0, NULL, NULL, NULL,
     "term"},
    {"run.pull.lambda", ELM_OPTION_REAL, offsetof(run_options, lambda), "0.01", 0, 10, NULL, NULL,
     "run.embed!=none", "weight"},
    {0},
};

typedef struct fixture {
    run_options run;
    optim_options optim;
    elm_job *job;
    elm_error err;
} fixture;

static int parse(fixture *f, const char *text, const char *const *overrides, int count)
{
    *f = (fixture){0};
    const elm_option_set sets[] = {{run_rows, &f->run}, {optim_rows, &f->optim}};
    return elm_job_parse(&f->job, text, "a.ini", overrides, count, sets, 2, &f->err);
}

static void must_parse(fixture *f, const char *text)
{
    if (parse(f, text, NULL, 0))
        fail_msg("%s", f->err.text);
}

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

/* Files named a.ini, sub/b.ini and so on, in a folder that goes away. */
typedef struct family {
    char folder[64], sub[3][80];
    char *paths[10];
    int count;
} family;

static void begin_family(family *f)
{
    *f = (family){.folder = "/tmp/elmpi-jobs-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    static const char *const names[] = {"sub", "setups", "methods"};
    for (int i = 0; i < 3; i++) {
        snprintf(f->sub[i], sizeof f->sub[i], "%s/%s", f->folder, names[i]);
        assert_int_equal(mkdir(f->sub[i], 0700), 0);
    }
}

static const char *add_file(family *f, const char *name, const char *text)
{
    char *path;
    assert_true(asprintf(&path, "%s/%s", f->folder, name) > 0);
    f->paths[f->count++] = path;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void end_family(const family *f)
{
    for (int i = 0; i < f->count; i++) {
        unlink(f->paths[i]);
        free(f->paths[i]);
    }
    for (int i = 0; i < 3; i++)
        rmdir(f->sub[i]);
    rmdir(f->folder);
}

static int load(fixture *f, const char *path, const char *const *overrides, int count)
{
    *f = (fixture){0};
    const elm_option_set sets[] = {{run_rows, &f->run}, {optim_rows, &f->optim}};
    return elm_job_load(&f->job, path, overrides, count, sets, 2, &f->err);
}

static void files_include_files(void **state)
{
    (void)state;
    family files;
    fixture f, g;
    begin_family(&files);
    add_file(&files, "sub/base.ini",
             "[run]\nname = base\nnote = kept\n[optim]\nlr = 1\nbatch = 7\nschedule = "
             "multistep\ngamma = 0.5\n");
    add_file(&files, "sub/middle.ini", "; one more\n[job]\ninclude = base.ini\n[optim]\nlr = 2\n");
    const char *top =
        add_file(&files, "top.ini",
                 "[job]\ninclude = sub/middle.ini ; relative to this file\n[run]\nname = top\n");
    static const char *const overrides[] = {"optim.batch=9"};
    if (load(&f, top, overrides, 1))
        fail_msg("%s", f.err.text);
    assert_string_equal(f.run.name, "top");
    assert_string_equal(f.run.note, "kept");
    assert_true(f.optim.lr == 2 && f.optim.batch == 9 && f.optim.gamma == 0.5);
    assert_null(elm_job_differences(f.job));
    /* The resolved text needs no other file. */
    assert_null(strstr(elm_job_text(f.job), "include"));
    end_family(&files);
    must_parse(&g, elm_job_text(f.job));
    assert_string_equal(elm_job_text(g.job), elm_job_text(f.job));
    elm_job_destroy(f.job);
    elm_job_destroy(g.job);
}

static void files_include_several_files(void **state)
{
    (void)state;
    family files;
    fixture f;
    begin_family(&files);
    add_file(&files, "sub/base.ini",
             "[run]\nname = base\nnote = base\n[optim]\nlr = 1\nbatch = 7\n");
    add_file(
        &files, "sub/set.ini",
        "[job]\ninclude = base.ini\nsetup = paper\n[run]\nname = set\n[optim]\nlr = 2\nfree = 2\n");
    add_file(&files, "method.ini", "[run]\nname = method\n[optim]\nlr = 3\nfree = 3\n");
    const char *top = add_file(&files, "top.ini",
                               "[job]\ninclude = sub/set.ini ,\tmethod.ini\n[optim]\nfree = 4\n");
    const char *other = add_file(&files, "other.ini", "[job]\ninclude = method.ini,sub/set.ini\n");
    const char *twice =
        add_file(&files, "twice.ini", "[job]\ninclude = sub/set.ini, sub/base.ini\n");
    if (load(&f, top, NULL, 0))
        fail_msg("%s", f.err.text);
    assert_string_equal(f.run.name, "method");
    assert_string_equal(f.run.note, "base");
    assert_true(f.optim.lr == 3 && f.optim.batch == 7 && f.optim.free == 4);
    assert_string_equal(
        elm_job_differences(f.job),
        "differs from the paper's set-up: run.name method (set), optim.lr 3 (2), optim.free 4 (2)");
    elm_job_destroy(f.job);
    if (load(&f, other, NULL, 0))
        fail_msg("%s", f.err.text);
    assert_string_equal(f.run.name, "set");
    assert_true(f.optim.lr == 2 && f.optim.free == 2);
    elm_job_destroy(f.job);
    assert_int_equal(load(&f, twice, NULL, 0), -1); /* it would undo what set.ini says */
    assert_non_null(strstr(f.err.text, "sub/base.ini is included twice"));
    assert_non_null(strstr(f.err.text, "twice.ini:2 and "));
    assert_non_null(strstr(f.err.text, "sub/set.ini:2)"));
    end_family(&files);
}

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

static void mistakes_in_includes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *other, *message, *place;
    } rows[] = {
        {"[job]\ninclude = none.ini", "", "none.ini, included at", "a.ini:2): No such file"},
        {"[job]\ninclude = sub", "", "/sub, included at", "a.ini:2): Is a directory"},
        {"[job]\ninclude = /dev/null", "", "not a file (/dev/null, included at", "a.ini:2)"},
        {"[job]\ninclude =", "", "job.include is empty", "a.ini:2)"},
        {"[run]\nname = a\n[job]\ninclude = b.ini", "", "job.include stands below other entries",
         "a.ini:4)"},
        {"[job]\ninclude = b.ini\ninclude = b.ini", "", "job.include stands below other entries",
         "a.ini:3)"},
        {"[job]\ninclude = b.ini", "[job]\ninclude = a.ini", "job.include = a.ini leads back to",
         "b.ini:2)"},
        {"[job]\ninclude = b.ini,", "", "job.include is empty", "a.ini:2)"},
        {"[job]\ninclude = b.ini,,b.ini", "", "job.include is empty", "a.ini:2)"},
        {"[job]\ninclude = b.ini, none.ini", "", "none.ini, included at", "a.ini:2): No such file"},
        {"[job]\ninclude = b.ini, sub/../b.ini", "", "job.include = sub/../b.ini is included twice",
         "a.ini:2)"},
        {"[job]\ninclude = b.ini, a.ini", "", "job.include = a.ini leads back to", "a.ini:2)"},
        {"\n[job]\ninclude = sub/../a.ini", "", "leads back to", "a.ini:3)"},
        {"[job]\ninclude = b.ini", "[optim]\n\nlrr = 1", "unknown key optim.lrr",
         "b.ini:3): did you mean optim.lr?"},
        {"[job]\ninclude = b.ini", "[optim]\nlr = fast", "optim.lr = fast is no number",
         "b.ini:2)"},
        {"[job]\ninclude = b.ini", "[optim]\nnonsense", "not understood", "b.ini:2)"},
        {"[job]\ninclude = b.ini", "[optim]\nlr = 1\nlr = 1", "optim.lr is given twice",
         "b.ini:3 and line 2)"},
        {"[job]\ninclude = b.ini\n[optim]\nlr = 2\nlr = 3", "[optim]\nlr = 1",
         "optim.lr is given twice", "a.ini:5 and line 4)"},
        {"[job]\ninclude = b.ini", "[optim]\nlr = 1", "run.name is missing", "a.ini)"},
        {"[job]\ninclude = b.ini\nsetup = x", "[job]\nsetup = y", "job.setup is given twice",
         "b.ini:2)"},
        {"[job]\ndata_set =", "", "job.data_set =  is no name", "a.ini:2)"},
        {"[job]\ndata_set = a/b", "", "job.data_set = a/b is no name", "a.ini:2)"},
        {"[job]\ndata_set = $HOME", "", "job.data_set = $HOME is no name", "a.ini:2)"},
        {"[job]\nsetup =", "", "job.setup is no name", "a.ini:2)"},
        {"[job]\nincluded = b.ini", "", "unknown key job.included",
         "a.ini:2): use one of include, setup, data_set"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        family files;
        fixture f;
        begin_family(&files);
        add_file(&files, "b.ini", rows[i].other);
        if (!load(&f, add_file(&files, "a.ini", rows[i].text), NULL, 0))
            fail_msg("accepted: %s", rows[i].text);
        end_family(&files);
        assert_int_equal(f.err.code, ELM_EXIT_USAGE);
        if (!strstr(f.err.text, rows[i].message) || !strstr(f.err.text, rows[i].place))
            fail_msg("\"%s\" lacks \"%s\" or \"%s\"", f.err.text, rows[i].message, rows[i].place);
    }
}

static void chains_have_an_end(void **state)
{
    (void)state;
    family files;
    fixture f;
    begin_family(&files);
    char name[16], text[64];
    for (int i = 0; i < 9; i++) {
        snprintf(name, sizeof name, "%d.ini", i);
        snprintf(text, sizeof text, i ? "[job]\ninclude = %d.ini\n" : "[run]\nname = end\n", i - 1);
        add_file(&files, name, text);
    }
    assert_int_equal(load(&f, files.paths[7], NULL, 0), 0);
    assert_string_equal(f.run.name, "end");
    elm_job_destroy(f.job);
    assert_int_equal(load(&f, files.paths[8], NULL, 0), -1);
    assert_non_null(strstr(f.err.text, "a chain of more than 8 files"));
    assert_non_null(strstr(f.err.text, "/1.ini:2)"));
    end_family(&files);
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

static int no_leaks(void **state)
{
    (void)state;
    return elm_alloc_live() != 0;
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
        cmocka_unit_test_teardown(files_include_files, no_leaks),
        cmocka_unit_test_teardown(files_include_several_files, no_leaks),
        cmocka_unit_test_teardown(jobs_are_named_after_their_file, no_leaks),
        cmocka_unit_test_teardown(set_ups_and_methods_make_jobs, no_leaks),
        cmocka_unit_test_teardown(differences_from_a_setup, no_leaks),
        cmocka_unit_test_teardown(mistakes_in_includes, no_leaks),
        cmocka_unit_test_teardown(chains_have_an_end, no_leaks),
        cmocka_unit_test_teardown(jobs_are_compared, no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
