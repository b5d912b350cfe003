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
    assert_string_equal(errors, "elmpi-train: warning: disk is slow\nelmpi-train: error: no store\n");
    assert_string_equal(copy, "epoch 3\nelmpi-train: warning: disk is slow\nelmpi-train: error: no store\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_go_where_they_belong),
        cmocka_unit_test(quiet_log_prints_errors_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
