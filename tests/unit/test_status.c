/* Errors and near names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/status.h"

static void error_is_filled(void **state)
{
    (void)state;
    elm_error err = {0};
    assert_int_equal(elm_error_set(&err, ELM_EXIT_USAGE, "%s is %d", "x", 3), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_string_equal(err.text, "x is 3");
    assert_int_equal(elm_error_set(NULL, ELM_EXIT_FAILURE, "nobody listens"), -1);
}

static void own_text_may_be_an_argument(void **state)
{
    (void)state;
    elm_error err = {.text = "disk full"};
    elm_error_set(&err, ELM_EXIT_FAILURE, "rank 1: %s", err.text);
    assert_string_equal(err.text, "rank 1: disk full");
}

static void long_text_is_cut(void **state)
{
    (void)state;
    elm_error err;
    char text[4096];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    elm_error_set(&err, ELM_EXIT_FAILURE, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static const char *const names[] = {"momentum", "milestones", "lr", "epochs", "epoch"};

static const char *nearest(const char *name)
{
    return elm_nearest_name(name, names, (int)(sizeof names / sizeof *names));
}

static void nearest_name_is_found(void **state)
{
    (void)state;
    assert_string_equal(nearest("momentun"), "momentum");
    assert_string_equal(nearest("milestone"), "milestones");
    assert_string_equal(nearest("lrr"), "lr");
    assert_string_equal(nearest("epoch"), "epoch");
    assert_string_equal(nearest("epochss"), "epochs");
}

static void far_name_is_not_guessed(void **state)
{
    (void)state;
    char endless[500];
    memset(endless, 'x', sizeof endless - 1);
    endless[sizeof endless - 1] = 0;
    assert_null(nearest("weight"));
    assert_null(nearest(endless));
    assert_null(elm_nearest_name("lr", names, 0));
}

static void unknown_names_are_refused(void **state)
{
    (void)state;
    elm_error err = {0};
    elm_unknown unknown = {"option", "lrr", "a.ini:2", names, 5, NULL};
    assert_int_equal(elm_error_unknown(&err, &unknown), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_string_equal(err.text, "unknown option lrr (a.ini:2): did you mean lr? Else use one of "
                                  "momentum, milestones, lr, epochs, epoch");
    unknown = (elm_unknown){"option", "weight", "--set", names, 2, "m{omentum|ilestones}"};
    elm_error_unknown(&err, &unknown);
    assert_string_equal(err.text, "unknown option weight (--set): use one of m{omentum|ilestones}");
    const char *many[300];
    for (int i = 0; i < 300; i++)
        many[i] = "a-name-of-some-length";
    unknown = (elm_unknown){"option", "x", "--set", many, 300, NULL};
    elm_error_unknown(&err, &unknown);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(elm_error_unknown(NULL, &unknown), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_filled),         cmocka_unit_test(own_text_may_be_an_argument),
        cmocka_unit_test(long_text_is_cut),        cmocka_unit_test(nearest_name_is_found),
        cmocka_unit_test(far_name_is_not_guessed), cmocka_unit_test(unknown_names_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
