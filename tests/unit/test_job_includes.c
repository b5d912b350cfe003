/* Job files that include others: whose values count, and what is said about every kind of
 * mistake. */
#define _GNU_SOURCE /* asprintf */
#include "unit/job_fixture.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(files_include_files, no_leaks),
        cmocka_unit_test_teardown(files_include_several_files, no_leaks),
        cmocka_unit_test_teardown(mistakes_in_includes, no_leaks),
        cmocka_unit_test_teardown(chains_have_an_end, no_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
