/* What of a text from outside reaches a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/text/text.h"
#include "elmpi/status.h"

static const struct {
    const char *text, *shown;
} rows[] = {
    {"", ""},
    {"'Apapane \\ 100%", "'Apapane \\ 100%"},
    /* 2, 3 and 4 bytes */
    {"Ma\303\261ana \347\214\253 \360\237\220\210", "Ma\303\261ana \347\214\253 \360\237\220\210"},
    {"\033[31mRED", "\\x1b[31mRED"},
    {"a\nb\tc\rd\be\x7f", "a\\x0ab\\x09c\\x0dd\\x08e\\x7f"},
    {"\302\2331m", "\\u009b1m"},               /* C1 in UTF-8: CSI */
    {"\2331m", "\\x9b1m"},                     /* and as a byte */
    {"\342\200\256gpj.exe", "\\u202egpj.exe"}, /* right-to-left override */
    {"\342\201\246x\342\201\251", "\\u2066x\\u2069"},
    {"a\342\200\250b", "a\\u2028b"},
    {"\357\273\277x", "\\ufeffx"},
    {"\300\257", "\\xc0\\xaf"},                   /* overlong */
    {"\355\240\200", "\\xed\\xa0\\x80"},          /* surrogate */
    {"\364\220\200\200", "\\xf4\\x90\\x80\\x80"}, /* beyond Unicode */
    {"caf\303", "caf\\xc3"},                      /* cut in mid-letter */
    {"\377", "\\xff"},
};

static void shows_what_is_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char shown[128];
        assert_int_equal(elm_text_escape(shown, sizeof shown, rows[i].text), strlen(rows[i].shown));
        assert_string_equal(shown, rows[i].shown);
    }
}

/* Every byte and every pair: nothing but printable ASCII and valid letters come out, and what
 * came out stays as it is. */
static void every_pair_of_bytes(void **state)
{
    (void)state;
    for (unsigned pair = 1; pair < 0x10000; pair++) {
        const char text[] = {(char)(pair & 0xff), (char)(pair >> 8), '\0'};
        char once[64], twice[64];
        elm_text_escape(once, sizeof once, text);
        for (const char *c = once; *c != '\0'; c++)
            assert_true((unsigned char)*c >= 0x20 && *c != 0x7f);
        elm_text_escape(twice, sizeof twice, once);
        assert_string_equal(once, twice);
    }
}

static void cuts_between_characters(void **state)
{
    (void)state;
    char shown[6];
    assert_int_equal(elm_text_escape(shown, sizeof shown, "ab\033cd"), 8);
    assert_string_equal(shown, "ab");
    assert_int_equal(elm_text_escape(NULL, 0, "ab\033"), 6);
    assert_int_equal(elm_text_cut("caf\303\251!", 4), 3);
    assert_int_equal(elm_text_cut("caf\303\251!", 5), 5);
    assert_int_equal(elm_text_cut("caf", 9), 3);
}

/* An error's text that is too long is not cut in mid-letter. */
static void errors_are_cut_between_characters(void **state)
{
    (void)state;
    elm_error err;
    char name[2 * sizeof err.text];
    for (size_t shift = 0; shift < 2; shift++) {
        memset(name, 0, sizeof name);
        for (size_t i = 0; i + 2 < sizeof name; i += 2)
            memcpy(name + i, "\303\251", 2);
        elm_error_set(&err, 1, "%s%s", shift ? "x" : "", name);
        assert_int_equal((strlen(err.text) - shift) % 2, 0);
        assert_true(strlen(err.text) + 3 > sizeof err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_is_harmless),
        cmocka_unit_test(every_pair_of_bytes),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(errors_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
