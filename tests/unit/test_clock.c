/* The clock: forward only, and moments that a wait can use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/process/clock.h"

static double seconds_of(struct timespec moment)
{
    return (double)moment.tv_sec + 1e-9 * (double)moment.tv_nsec;
}

static void goes_forward(void **state)
{
    (void)state;
    double before = elm_clock_seconds();
    for (int i = 0; i < 1000; i++) {
        const double now = elm_clock_seconds();
        assert_true(now >= before);
        before = now;
    }
}

static void moments_ahead(void **state)
{
    (void)state;
    static const double ahead[] = {0, 0.25, 0.999999999, 1, 3.75, 1e6 + 0.5};
    for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
        const double before = elm_clock_seconds();
        const struct timespec moment = elm_clock_after(ahead[i]);
        const double after = elm_clock_seconds();
        assert_in_range(moment.tv_nsec, 0, 999999999);
        assert_true(seconds_of(moment) >= before + ahead[i] - 1e-6);
        assert_true(seconds_of(moment) <= after + ahead[i] + 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_forward),
        cmocka_unit_test(moments_ahead),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
