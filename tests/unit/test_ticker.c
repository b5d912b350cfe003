/* Long work says what it is at, as often as asked, and nothing before its time or after its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "elmpi/ticker.h"

static char *text;
static size_t length;

static elm_log log_into(FILE **file)
{
    *file = open_memstream(&text, &length);
    assert_non_null(*file);
    return (elm_log){.program = "test", .file = *file};
}

/* Until it was said, however slow the machine is. */
static void wait_for(FILE *file, const char *what)
{
    for (int i = 0; i < 6000; i++) {
        fflush(file);
        if (text && strstr(text, what))
            return;
        usleep(10000);
    }
    fail_msg("\"%s\" is not in \"%s\"", what, text);
}

static void work_is_said(void **state)
{
    (void)state;
    FILE *file;
    elm_ticker *ticker;
    elm_error err;
    const elm_log log = log_into(&file);
    const int64_t live = elm_alloc_live();
    assert_int_equal(0, elm_ticker_create(&ticker, &log, 0.02, &err));
    elm_ticker_begin(ticker, "counting", 50);
    elm_ticker_advance(ticker, 20);
    wait_for(file, "counting: 20 of 50 (40%) after 0:0");
    elm_ticker_begin(ticker, "thinking", 0);
    wait_for(file, "thinking: at work for 0:0");
    elm_ticker_end(ticker);
    fflush(file);
    const size_t said = length;
    usleep(100000);
    fflush(file);
    assert_int_equal(said, length);
    elm_ticker_destroy(ticker);
    assert_int_equal(live, elm_alloc_live());
    fclose(file);
    free(text);
}

static void nothing_before_its_time(void **state)
{
    (void)state;
    FILE *file;
    elm_ticker *ticker;
    elm_error err;
    const elm_log log = log_into(&file);
    assert_int_equal(0, elm_ticker_create(&ticker, &log, 3600, &err));
    elm_ticker_begin(ticker, "counting", 50);
    usleep(50000);
    elm_ticker_destroy(ticker); /* in the middle of it */
    fflush(file);
    assert_int_equal(0, length);
    fclose(file);
    free(text);
    elm_ticker_begin(NULL, "nobody listens", 1);
    elm_ticker_advance(NULL, 1);
    elm_ticker_end(NULL);
    elm_ticker_destroy(NULL);
}

static void once_a_minute_unless_asked(void **state)
{
    (void)state;
    unsetenv("ELMPI_PROGRESS_SECONDS");
    assert_true(elm_ticker_seconds() == 60);
    setenv("ELMPI_PROGRESS_SECONDS", "2.5", 1);
    assert_true(elm_ticker_seconds() == 2.5);
    setenv("ELMPI_PROGRESS_SECONDS", "-1", 1);
    assert_true(elm_ticker_seconds() == 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_is_said),
        cmocka_unit_test(nothing_before_its_time),
        cmocka_unit_test(once_a_minute_unless_asked),
    };
    return cmocka_run_group_tests_name("ticker", tests, NULL, NULL);
}
