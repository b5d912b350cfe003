/* A file is read in a process of its own first: whatever happens there is an error here. */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file/guard.h"

/* Kinds of this test alone; each function runs in the second process. */
static int read_well(const char *path, elm_error *err)
{
    return strcmp(path, "good") == 0 ? 0 : elm_error_set(err, ELM_EXIT_USAGE, "no %s here", path);
}

static int crash(const char *path, elm_error *err)
{
    (void)path;
    (void)err;
    signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn it into an exit */
    fputs("last words\n", stderr);
    raise(SIGSEGV);
    return 0;
}

static int never_end(const char *path, elm_error *err)
{
    struct rlimit seconds;
    if (getrlimit(RLIMIT_CPU, &seconds) != 0 || seconds.rlim_cur != 60)
        return elm_error_set(err, ELM_EXIT_FAILURE, "no limit of 60 s (%s)", path);
    raise(SIGXCPU); /* what the system does after that time */
    return 0;
}

static int take_memory(const char *path, elm_error *err)
{
    enum { BLOCK = 1 << 26 };
    int blocks = 0;
    while (blocks < 1 << 10) { /* 64 GiB */
        /* never touched, so that the machine does not need it */
        volatile char *block = malloc(BLOCK);
        if (block == NULL)
            break;
        blocks++;
    }
    return elm_error_set(err, ELM_EXIT_FAILURE, "%d blocks (%s)", blocks, path);
}

static int leave(const char *path, elm_error *err)
{
    (void)path;
    (void)err;
    _exit(3);
}

/* Memory that was not set is not zero there, and no threads are started. */
static int look_around(const char *path, elm_error *err)
{
    const char *threads = getenv("OPENBLAS_NUM_THREADS"), *kept = getenv("ELMPI_TEST_KEPT");
    return elm_error_set(err, 42, "%s %s %s %s", path, getenv("MALLOC_PERTURB_"), threads, kept);
}

ELM_GUARD_SERVE(well, "well", read_well)
ELM_GUARD_SERVE(crash, "crashing", crash)
ELM_GUARD_SERVE(endless, "endless", never_end)
ELM_GUARD_SERVE(hungry, "hungry", take_memory)
ELM_GUARD_SERVE(leaving, "leaving", leave)
ELM_GUARD_SERVE(curious, "curious", look_around)

static const struct {
    const char *kind, *path;
    int code;
    const char *text;
} rows[] = {
    {"well", "bad", ELM_EXIT_USAGE, "no bad here"},
    {"well", "sp ace;'$(x)\n", ELM_EXIT_USAGE, "no sp ace;'$(x)\n here"},
    {"crashing", "f.h5", ELM_EXIT_FAILURE,
     "the process that reads the crashing first crashed, Segmentation fault (f.h5): the file is "
     "damaged or forged: use another one"},
    {"endless", "/nowhere/f.h5", ELM_EXIT_FAILURE,
     "reading the endless comes to no end (/nowhere/f.h5): the file is damaged or forged: use "
     "another one"},
    {"leaving", "f.h5", ELM_EXIT_FAILURE,
     "the process that reads the leaving first ended with status 3 (f.h5): the file is damaged or "
     "forged: use another one"},
    {"curious", "f.h5", 42, "f.h5 165 1 yes"},
};

static void whatever_happens_is_an_error(void **state)
{
    (void)state;
    setenv("ELMPI_TEST_KEPT", "yes", 1);
    setenv("OPENBLAS_NUM_THREADS", "7", 1);
    assert_int_equal(elm_guard_check("well", "good", NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        elm_error err = {0};
        assert_int_equal(elm_guard_check(rows[i].kind, rows[i].path, &err), -1);
        assert_string_equal(err.text, rows[i].text);
        assert_int_equal(err.code, rows[i].code);
    }
}

static void memory_is_bounded(void **state)
{
    (void)state;
    elm_error err = {0};
    int blocks = 0;
    assert_int_equal(elm_guard_check("hungry", "/nowhere", &err), -1);
    assert_int_equal(sscanf(err.text, "%d blocks", &blocks), 1);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_in_range(blocks, 8, 16); /* 1 GiB of 64 MiB each */
#endif
}

/* A second process that does not answer as one starts no third. */
static void there_is_no_third_process(void **state)
{
    (void)state;
    elm_error err = {0};
    setenv("ELMPI_GUARD_SECOND", "1", 1);
    assert_int_equal(elm_guard_check("well", "good", &err), -1);
    assert_non_null(strstr(err.text, "does not know"));
    unsetenv("ELMPI_GUARD_SECOND");
}

static void it_can_be_turned_off(void **state)
{
    (void)state;
    setenv("ELMPI_GUARD", "off", 1);
    assert_int_equal(elm_guard_check("crashing", "f.h5", NULL), 0);
    unsetenv("ELMPI_GUARD");
    assert_int_equal(elm_guard_check("crashing", "f.h5", NULL), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_is_an_error),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(there_is_no_third_process),
        cmocka_unit_test(it_can_be_turned_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
