/* Aligned, zeroed, counted memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"

static void is_aligned_and_zeroed(void **state)
{
    (void)state;
    for (size_t count = 1; count < 3000; count += 77) {
        unsigned char *bytes = elm_alloc(count, 3, NULL);
        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % ELM_ALIGNMENT, 0);
        for (size_t i = 0; i < count * 3; i++)
            assert_int_equal(bytes[i], 0);
        memset(bytes, 0xff, count * 3); /* the next block may be this one again */
        elm_free(bytes);
    }
}

static void is_counted(void **state)
{
    (void)state;
    const int64_t calls = elm_alloc_calls(), live = elm_alloc_live();
    void *a = elm_alloc(1, 8, NULL), *b = elm_alloc(0, 8, NULL);
    assert_non_null(b);
    assert_int_equal(elm_alloc_calls(), calls + 2);
    assert_int_equal(elm_alloc_live(), live + 2);
    elm_free(a);
    elm_free(b);
    elm_free(NULL);
    assert_int_equal(elm_alloc_live(), live);
    assert_int_equal(elm_alloc_calls(), calls + 2);
}

static void impossible_sizes_fail(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    elm_error err = {0};
    assert_null(elm_alloc(SIZE_MAX, 2, &err));
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    assert_non_null(strstr(err.text, "overflow"));
    assert_null(elm_alloc(SIZE_MAX - 3, 1, &err));
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_aligned_and_zeroed),
        cmocka_unit_test(is_counted),
        cmocka_unit_test(impossible_sizes_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
