/* FNV-1a against the values that its authors publish (http://www.isthe.com/chongo/tech/comp/fnv). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hash.h"

static void published_values(void **state)
{
    (void)state;
    assert_int_equal(elm_hash_text_32(""), 0x811c9dc5);
    assert_int_equal(elm_hash_text_32("a"), 0xe40c292c);
    assert_int_equal(elm_hash_text_32("foobar"), 0xbf9cf968);
    assert_true(elm_hash_text_64("") == UINT64_C(0xcbf29ce484222325));
    assert_true(elm_hash_text_64("a") == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(elm_hash_text_64("foobar") == UINT64_C(0x85944171f73967e8));
}

static void pieces_hash_as_the_whole(void **state)
{
    (void)state;
    assert_int_equal(elm_hash_32(elm_hash_32(ELM_HASH_32, "foo", 3), "bar", 3),
                     elm_hash_text_32("foobar"));
    assert_true(elm_hash_64(elm_hash_64(ELM_HASH_64, "foo", 3), "bar", 3) ==
                elm_hash_text_64("foobar"));
    /* bytes beyond 127 count as such, zero bytes too */
    assert_true(elm_hash_64(ELM_HASH_64, "\xff\0", 2) != elm_hash_64(ELM_HASH_64, "\xff", 1));
    assert_int_equal(elm_hash_32(ELM_HASH_32, "\xff", 1),
                     (uint32_t)((ELM_HASH_32 ^ 0xff) * UINT32_C(16777619)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values),
        cmocka_unit_test(pieces_hash_as_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
