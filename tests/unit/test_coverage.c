/* Coverage of the pull term, against a count pair by pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/long_tail.h"
#include "data/positive_rate.h"
#include "elmpi/loss.h"
#include "elmpi/partition.h"
#include "golden/pseudo.h"

enum { CLASSES = 12, COUNT = 700 };

static int32_t labels[COUNT];
static int64_t class_count[CLASSES], order[COUNT];
static elm_dataset dataset = {
    .info = {.classes = CLASSES}, .count = COUNT, .labels = labels, .class_count = class_count};

/* A long tail, in an order that is not the store's; the last class has one image. */
static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        const double u = (pseudo(7, (uint32_t)i) + 1) / 2;
        labels[i] = i == 3 ? CLASSES - 1 : (int32_t)(u * u * u * (CLASSES - 1));
        class_count[labels[i]]++;
        order[i] = (i * 37) % COUNT;
    }
    return 0;
}

static int rank_of(int64_t place, int64_t global, int ranks)
{
    int r = 0;
    while (place >=
           elm_partition_of(global, ranks, r).first + elm_partition_of(global, ranks, r).local)
        r++;
    return r;
}

static elm_positive_rate brute_force(int64_t batch, int ranks)
{
    elm_positive_rate c = {0};
    for (int64_t start = 0; start < COUNT; start += batch, c.batches++) {
        const int64_t global = COUNT - start < batch ? COUNT - start : batch;
        for (int64_t i = 0; i < global; i++) {
            const int32_t label = labels[order[start + i]];
            bool anywhere = false, here = false, elsewhere = false;
            for (int64_t j = 0; j < global; j++) {
                const bool positive = j != i && labels[order[start + j]] == label;
                const bool same_rank = rank_of(i, global, ranks) == rank_of(j, global, ranks);
                anywhere |= positive;
                here |= positive && same_rank;
                elsewhere |= positive && !same_rank;
            }
            const int group = elm_class_group(class_count[label]);
            c.anchors[group]++;
            c.global[group] += anywhere;
            c.rank[group] += here;
            c.rows_slices += elsewhere;
            c.rows_all++;
        }
    }
    c.rows_slices /= (double)c.batches;
    c.rows_all /= (double)c.batches;
    return c;
}

static void counts_pair_by_pair(void **state)
{
    (void)state;
    static const struct {
        int64_t batch;
        int ranks;
    } cases[] = {{64, 1}, {64, 3}, {64, 16}, {64, 64}, {700, 7}, {1, 1}, {5, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elm_positive_rate found;
        elm_error err;
        assert_int_equal(
            elm_positive_rate_count(&found, &dataset, order, cases[i].batch, cases[i].ranks, &err),
            0);
        const elm_positive_rate expected = brute_force(cases[i].batch, cases[i].ranks);
        assert_memory_equal(&found, &expected, sizeof found);
    }
}

static void more_ranks_than_images_are_refused(void **state)
{
    (void)state;
    elm_positive_rate coverage;
    elm_error err;
    assert_int_equal(elm_positive_rate_count(&coverage, &dataset, order, 4, 5, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_pair_by_pair),
        cmocka_unit_test(more_ranks_than_images_are_refused),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
