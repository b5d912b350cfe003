/* What a log prints and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elmpi/log.h"

/* stdout or stderr diverted into a temporary file. */
typedef struct diversion {
    FILE *stream, *caught;
    int saved;
} diversion;

static diversion divert(FILE *stream)
{
    fflush(stream);
    diversion d = {stream, tmpfile(), dup(fileno(stream))};
    assert_non_null(d.caught);
    dup2(fileno(d.caught), fileno(stream));
    return d;
}

static void restore(diversion *d, char *text, size_t size)
{
    fflush(d->stream);
    dup2(d->saved, fileno(d->stream));
    close(d->saved);
    rewind(d->caught);
    const size_t got = fread(text, 1, size - 1, d->caught);
    text[got] = 0;
    fclose(d->caught);
}

/* Everything a log can say. */
static void say(const elm_log *log, char *out, char *errors, size_t size)
{
    diversion a = divert(stdout), b = divert(stderr);
    elm_log_info(log, "epoch %d", 3);
    elm_log_warn(log, "%s is slow", "disk");
    elm_log_error(log, "no %s", "store");
    restore(&a, out, size);
    restore(&b, errors, size);
}

static void lines_go_where_they_belong(void **state)
{
    (void)state;
    char out[256], errors[256], copy[256] = "";
    elm_log log = {.program = "elmpi-train", .file = tmpfile()};
    assert_non_null(log.file);
    say(&log, out, errors, sizeof out);
    rewind(log.file);
    copy[fread(copy, 1, sizeof copy - 1, log.file)] = 0;
    fclose(log.file);
    assert_string_equal(out, "epoch 3\n");
    assert_string_equal(errors,
                        "elmpi-train: warning: disk is slow\nelmpi-train: error: no store\n");
    assert_string_equal(
        copy, "epoch 3\nelmpi-train: warning: disk is slow\nelmpi-train: error: no store\n");
}

static void quiet_log_prints_errors_only(void **state)
{
    (void)state;
    char out[256], errors[256];
    const elm_log log = {.program = "elmpi-train", .quiet = true};
    say(&log, out, errors, sizeof out);
    assert_string_equal(out, "");
    assert_string_equal(errors, "elmpi-train: error: no store\n");
}

/* A name from outside neither steers the terminal nor begins a line of its own, however long the
 * message is. */
static void names_are_shown_as_what_they_are(void **state)
{
    (void)state;
    static char out[16384], long_name[8192];
    memset(long_name, 'n', sizeof long_name - 1);
    memcpy(long_name + sizeof long_name - 10, "\033[2J", 4);
    const elm_log log = {.program = "elmpi-train"};
    diversion a = divert(stdout);
    elm_log_info(&log, "\n  class %s", "red\033[31m\nelmpi-train: error: forged");
    elm_log_info(&log, "%s", long_name);
    restore(&a, out, sizeof out);
    static const char first[] = "\n  class red\\x1b[31m\\x0aelmpi-train: error: forged\n";
    assert_memory_equal(out, first, sizeof first - 1);
    assert_null(strchr(out, '\033'));
    /* ESC takes three more, and a line feed */
    assert_int_equal(strlen(out), sizeof first - 1 + sizeof long_name - 1 + 3 + 1);
    assert_non_null(strstr(out, "n\\x1b[2Jn"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_go_where_they_belong),
        cmocka_unit_test(quiet_log_prints_errors_only),
        cmocka_unit_test(names_are_shown_as_what_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
