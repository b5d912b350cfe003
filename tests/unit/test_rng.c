/* Philox against the known answers that its authors publish (Random123), and the distributions
 * made of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/rng.h"

static void known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } rows[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t out[4];
        elm_philox(rows[i].key, rows[i].counter, out);
        assert_memory_equal(out, rows[i].answer, sizeof out);
    }
}

static void streams_repeat_and_differ(void **state)
{
    (void)state;
    const struct {
        uint64_t seed;
        elm_rng_use use;
        uint64_t a, b;
    } ids[] = {{1, ELM_RNG_ORDER, 0, 0},
               {2, ELM_RNG_ORDER, 0, 0},
               {1, ELM_RNG_INIT, 0, 0},
               {1, ELM_RNG_ORDER, 1, 0},
               {1 + (1ull << 32), ELM_RNG_ORDER, 0, 0},
               {1, ELM_RNG_ORDER, 0, 1}};
    enum { STREAMS = sizeof ids / sizeof *ids, WORDS = 64 };
    uint32_t words[STREAMS][WORDS];
    for (int s = 0; s < STREAMS; s++) {
        elm_rng rng = elm_rng_stream(ids[s].seed, ids[s].use, ids[s].a, ids[s].b), again = rng;
        for (int i = 0; i < WORDS; i++) {
            words[s][i] = elm_rng_u32(&rng);
            assert_int_equal(words[s][i], elm_rng_u32(&again));
        }
        for (int t = 0; t < s; t++)
            for (int i = 0; i < WORDS; i++)
                assert_int_not_equal(words[s][i], words[t][i]);
    }
}

static void uniform_is_uniform(void **state)
{
    (void)state;
    enum { DRAWS = 200000, BINS = 20 };
    elm_rng rng = elm_rng_stream(7, ELM_RNG_DATA, 0, 0);
    int bins[BINS] = {0};
    for (int i = 0; i < DRAWS; i++) {
        const double u = elm_rng_uniform(&rng);
        assert_true(u >= 0 && u < 1);
        bins[(int)(u * BINS)]++;
    }
    double chi2 = 0;
    for (int i = 0; i < BINS; i++)
        chi2 += pow(bins[i] - (double)DRAWS / BINS, 2) / ((double)DRAWS / BINS);
    assert_true(chi2 < 50); /* 19 degrees of freedom; far beyond any accident of a fixed seed */
}

static void below_is_in_range_and_even(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, 3, 7, 100, 0x80000001u, 0xffffffffu};
    elm_rng rng = elm_rng_stream(3, ELM_RNG_ORDER, 1, 2);
    for (size_t l = 0; l < sizeof limits / sizeof *limits; l++)
        for (int i = 0; i < 1000; i++)
            assert_true(elm_rng_below(&rng, limits[l]) < limits[l]);
    int count[3] = {0};
    for (int i = 0; i < 30000; i++)
        count[elm_rng_below(&rng, 3)]++;
    for (int i = 0; i < 3; i++)
        assert_true(abs(count[i] - 10000) < 400);
    int upper = 0; /* plain modulo would put two thirds of the draws into the lower half here */
    for (int i = 0; i < 10000; i++)
        upper += elm_rng_below(&rng, 0xC0000000u) >= 0x60000000u;
    assert_true(abs(upper - 5000) < 300);
}

static void shuffle_is_one_order_for_every_width(void **state)
{
    (void)state;
    enum { ITEMS = 6, DRAWS = 12000 };
    int places[ITEMS][ITEMS] = {{0}};
    for (int d = 0; d < DRAWS; d++) {
        uint8_t bytes[ITEMS];
        int32_t ints[ITEMS];
        int64_t longs[ITEMS];
        for (int i = 0; i < ITEMS; i++)
            longs[i] = ints[i] = bytes[i] = (uint8_t)i;
        elm_rng one = elm_rng_stream(5, ELM_RNG_DATA, (uint64_t)d, 0), two = one, three = one;
        elm_rng_shuffle(&one, bytes, ITEMS, sizeof *bytes);
        elm_rng_shuffle(&two, ints, ITEMS, sizeof *ints);
        elm_rng_shuffle(&three, longs, ITEMS, sizeof *longs);
        int sum = 0;
        for (int i = 0; i < ITEMS; i++) {
            assert_int_equal(bytes[i], ints[i]);
            assert_int_equal(bytes[i], longs[i]);
            places[i][bytes[i]]++;
            sum += 1 << bytes[i];
        }
        assert_int_equal(sum, (1 << ITEMS) - 1);
    }
    for (int i = 0; i < ITEMS; i++)
        for (int k = 0; k < ITEMS; k++)
            assert_true(abs(places[i][k] - DRAWS / ITEMS) < 250);
}

static void normal_has_its_moments(void **state)
{
    (void)state;
    enum { DRAWS = 200000 };
    elm_rng rng = elm_rng_stream(11, ELM_RNG_INIT, elm_hash_text_32("fc.weight"), 0);
    double sum = 0, squares = 0, fourth = 0;
    for (int i = 0; i < DRAWS; i++) {
        const double z = elm_rng_normal(&rng);
        assert_true(isfinite(z));
        sum += z;
        squares += z * z;
        fourth += z * z * z * z;
    }
    assert_true(fabs(sum / DRAWS) < 0.012);
    assert_true(fabs(squares / DRAWS - 1) < 0.02);
    assert_true(fabs(fourth / DRAWS - 3) < 0.15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(streams_repeat_and_differ),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(below_is_in_range_and_even),
        cmocka_unit_test(normal_has_its_moments),
        cmocka_unit_test(shuffle_is_one_order_for_every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
