/* Options of every type, and folders of job files, for the tests of jobs. */
#ifndef ELMPI_TESTS_JOB_FIXTURE_H
#define ELMPI_TESTS_JOB_FIXTURE_H

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

static inline int check_note(const char *value, elm_error *err)
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

static inline int parse(fixture *f, const char *text, const char *const *overrides, int count)
{
    *f = (fixture){0};
    const elm_option_set sets[] = {{run_rows, &f->run}, {optim_rows, &f->optim}};
    return elm_job_parse(&f->job, text, "a.ini", overrides, count, sets, 2, &f->err);
}

static inline void must_parse(fixture *f, const char *text)
{
    if (parse(f, text, NULL, 0))
        fail_msg("%s", f->err.text);
}

/* Files named a.ini, sub/b.ini and so on, in a folder that goes away. */
typedef struct family {
    char folder[64], sub[3][80];
    char *paths[10];
    int count;
} family;

static inline void begin_family(family *f)
{
    *f = (family){.folder = "/tmp/elmpi-jobs-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    static const char *const names[] = {"sub", "setups", "methods"};
    for (int i = 0; i < 3; i++) {
        snprintf(f->sub[i], sizeof f->sub[i], "%s/%s", f->folder, names[i]);
        assert_int_equal(mkdir(f->sub[i], 0700), 0);
    }
}

static inline const char *add_file(family *f, const char *name, const char *text)
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

static inline void end_family(const family *f)
{
    for (int i = 0; i < f->count; i++) {
        unlink(f->paths[i]);
        free(f->paths[i]);
    }
    for (int i = 0; i < 3; i++)
        rmdir(f->sub[i]);
    rmdir(f->folder);
}

static inline int load(fixture *f, const char *path, const char *const *overrides, int count)
{
    *f = (fixture){0};
    const elm_option_set sets[] = {{run_rows, &f->run}, {optim_rows, &f->optim}};
    return elm_job_load(&f->job, path, overrides, count, sets, 2, &f->err);
}

static inline int no_leaks(void **state)
{
    (void)state;
    return elm_alloc_live() != 0;
}

#endif
