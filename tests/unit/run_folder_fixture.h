/* Run folders in the scratch folder, for the tests of them. */
#ifndef ELMPI_TESTS_RUN_FOLDER_FIXTURE_H
#define ELMPI_TESTS_RUN_FOLDER_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "checkpoint/claim.h"
#include "elmpi/memory.h"
#include "elmpi/run_folder.h"
#include "unit/hdf5_leaks.h"
#include "unit/scratch.h"

static inline elm_run_folder *must_open(const char *path, bool resume)
{
    elm_run_folder *folder = NULL;
    elm_error err = {0};
    if (elm_run_folder_open(&folder, path, resume, &err))
        fail_msg("%s", err.text);
    return folder;
}

static inline void must_not_open(const char *path, bool resume, int code, const char *message)
{
    elm_run_folder *folder = NULL;
    elm_error err = {0};
    assert_int_equal(elm_run_folder_open(&folder, path, resume, &err), -1);
    assert_null(folder);
    assert_int_equal(err.code, code);
    if (!strstr(err.text, message))
        fail_msg("\"%s\" lacks \"%s\"", err.text, message);
}

static inline void save(elm_run_folder *folder, int64_t step, int64_t keep)
{
    const elm_checkpoint checkpoint = {.job = "[run]\n", .step = step, .ranks = 1};
    elm_error err = {0};
    if (elm_run_folder_save(folder, &checkpoint, keep, &err))
        fail_msg("%s", err.text);
}

static inline bool has(const char *folder, const char *name)
{
    char path[1024];
    struct stat about;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return !lstat(path, &about);
}

static inline void put(const char *folder, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The step of the newest checkpoint, -1 if there is none. */
static inline int64_t newest(elm_run_folder *folder, char *name, int capacity)
{
    elm_checkpoint *checkpoint = NULL;
    elm_error err = {0};
    if (elm_run_folder_newest(folder, NULL, &checkpoint, name, capacity, &err))
        fail_msg("%s", err.text);
    const int64_t step = checkpoint ? checkpoint->step : -1;
    elm_checkpoint_free(checkpoint);
    return step;
}

/* Writes a claim as another process would have. */
static inline void put_claim(const char *folder, int run, const char *host, const char *boot,
                             long pid, unsigned long long start, const char *rest)
{
    char name[32], text[512];
    snprintf(name, sizeof name, "claim-%d", run);
    snprintf(text, sizeof text, "host %s\nboot %s\npid %ld\nstart %llu\n%s", host, boot, pid, start,
             rest);
    put(folder, name, text);
}

static inline int no_leaks(void **state)
{
    (void)state;
    return elm_alloc_live() != 0;
}

/* Tests may themselves run under a scheduler. */
static inline void leave_scheduler(void)
{
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_RESTART_COUNT");
}

#endif
