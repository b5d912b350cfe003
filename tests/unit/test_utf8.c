/* UTF-8: what is, what is not, and how the latter is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text/utf8.h"

static void validity(void **state)
{
    (void)state;
    const char *const good[] = {"",
                                "dog",
                                "K\xc3\xa4"
                                "fer",
                                "\xe2\x82\xac",
                                "\xf0\x9f\x90\x95",
                                "\xed\x9f\xbf",
                                "\xee\x80\x80",
                                "\xf4\x8f\xbf\xbf"};
    const char *const bad[] = {"K\xe4"
                               "fer",
                               "\x80",
                               "\xc0\xaf",
                               "\xc1\x81",
                               "\xc3",
                               "\xe2\x82",
                               "\xe0\x9f\xbf",
                               "\xed\xa0\x80",
                               "\xf0\x8f\xbf",
                               "\xf4\x90\x80\x80",
                               "\xf5\x80",
                               "\xff",
                               "dog\xfe"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(elm_utf8_is_valid(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(elm_utf8_is_valid(bad[i]));
}

static void escaping(void **state)
{
    (void)state;
    char out[64], small[6];
    assert_string_equal(elm_utf8_escape(out, sizeof out,
                                        "K\xe4"
                                        "fer"),
                        "K\\xE4fer");
    assert_string_equal(elm_utf8_escape(out, sizeof out,
                                        "K\xc3\xa4"
                                        "fer"),
                        "K\xc3\xa4"
                        "fer");
    assert_string_equal(elm_utf8_escape(out, sizeof out, "a\x1b[2J\n"), "a\\x1B[2J\\x0A");
    assert_string_equal(elm_utf8_escape(small, sizeof small,
                                        "abc\xc3\xa4"
                                        "d"),
                        "abc\xc3\xa4");
    assert_string_equal(elm_utf8_escape(small, sizeof small, "abcd\xc3\xa4"), "abcd");
    assert_string_equal(elm_utf8_escape(small, sizeof small, "ab\xe4"), "ab");
}

static void marks(void **state)
{
    (void)state;
    assert_int_equal(elm_utf8_mark("\xef\xbb\xbfx", 4), 3);
    assert_int_equal(elm_utf8_mark("\xef\xbb", 2), 0);
    assert_int_equal(elm_utf8_mark("dog", 3), 0);
    assert_true(elm_utf8_is_utf16("\xff\xfe\x61\x00", 4));
    assert_true(elm_utf8_is_utf16("\xfe\xff", 2));
    assert_false(elm_utf8_is_utf16("\xef\xbb\xbf", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(validity), cmocka_unit_test(escaping),
                                       cmocka_unit_test(marks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
