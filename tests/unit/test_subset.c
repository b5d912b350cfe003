/* Long-tailed subsets against NumPy's own draws and, where they are at hand, against the public
 * code's lists. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/long_tail.h"
#include "data/sampling/numpy_random.h"
#include "data/sampling/subset.h"
#include "elmpi/memory.h"
#include "elmpi/prepare.h"
#include "elmpi/store.h"
#include "unit/scratch.h"

typedef struct subset_golden {
    int classes;
    int64_t count;
    double rho;
    int64_t members;
    int64_t ends[8];
    uint32_t digest;
} subset_golden;

#include "golden/subset-golden.h"

static void words_of_numpy(void **state)
{
    (void)state;
    elm_numpy_random random;
    elm_numpy_seed(&random, 0);
    for (size_t i = 0; i < sizeof first_words / sizeof *first_words; i++)
        assert_int_equal(elm_numpy_u32(&random), first_words[i]);
    for (size_t i = sizeof first_words / sizeof *first_words; i < 1299; i++)
        elm_numpy_u32(&random);
    assert_int_equal(elm_numpy_u32(&random), word_1300);
}

static void check_shuffle(const int64_t *expected, int64_t count)
{
    int64_t values[64];
    elm_numpy_random random;
    for (int64_t i = 0; i < count; i++)
        values[i] = i;
    elm_numpy_seed(&random, 0);
    elm_numpy_shuffle(&random, values, count);
    assert_memory_equal(values, expected, (size_t)count * sizeof *values);
}

static void shuffles_of_numpy(void **state)
{
    (void)state;
    check_shuffle(shuffled_1, 1);
    check_shuffle(shuffled_2, 2);
    check_shuffle(shuffled_3, 3);
    check_shuffle(shuffled_17, 17);
    check_shuffle(shuffled_33, 33);
}

static uint32_t digest_of(const int64_t *values, int64_t count)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (uint32_t)values[i] * ((uint32_t)(i + 1) * 2654435761u);
    return sum;
}

static void subsets_of_numpy(void **state)
{
    (void)state;
    for (size_t g = 0; g < sizeof golden / sizeof *golden; g++) {
        const subset_golden *row = &golden[g];
        elm_error err = {0};
        int64_t *members = NULL, count = 0;
        int32_t *labels = malloc((size_t)row->count * sizeof *labels);
        for (int64_t i = 0; i < row->count; i++)
            labels[i] = (int32_t)((13 * i + 5) % row->classes);
        if (elm_subset_long_tail(labels, row->count, row->classes, row->rho, &members, &count,
                                 &err) != 0)
            fail_msg("%s", err.text);
        assert_int_equal(count, row->members);
        assert_memory_equal(members, row->ends, 4 * sizeof *members);
        assert_memory_equal(members + count - 4, row->ends + 4, 4 * sizeof *members);
        assert_int_equal(digest_of(members, count), row->digest);
        elm_free(members);
        free(labels);
    }
}

static void profiles(void **state)
{
    (void)state;
    const struct {
        double n_max, rho;
        int classes;
        int64_t total, last;
    } rows[] = {
        {5000, 100, 10, 12406, 50}, {500, 100, 100, 10847, 5}, {500, 50, 100, 12608, 10},
        {500, 10, 100, 19573, 50},  {7, 1, 3, 21, 7},          {9, 3, 1, 9, 9},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t total = 0;
        for (int c = 0; c < rows[i].classes; c++)
            total += elm_long_tail_count(rows[i].n_max, rows[i].rho, c, rows[i].classes);
        assert_int_equal(total, rows[i].total);
        assert_int_equal(
            elm_long_tail_count(rows[i].n_max, rows[i].rho, rows[i].classes - 1, rows[i].classes),
            rows[i].last);
    }
}

static void refused(const int32_t *labels, int64_t count, int classes, double rho,
                    const char *pattern)
{
    elm_error err = {0};
    int64_t *members = NULL, kept = 0;
    const int64_t live = elm_alloc_live();
    assert_int_equal(elm_subset_long_tail(labels, count, classes, rho, &members, &kept, &err), -1);
    assert_null(members);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, pattern));
    assert_int_equal(elm_alloc_live(), live);
}

static void impossible_subsets(void **state)
{
    (void)state;
    const int32_t balanced[] = {0, 1, 0, 1, 0, 1, 0, 1}, lopsided[] = {1, 1, 0, 1, 1, 1, 0, 1};
    refused(balanced, 8, 2, 0.5, "imbalance");
    refused(balanced, 8, 2, (double)NAN, "imbalance");
    refused(balanced, 8, 2, 5, "without an image");
    refused(lopsided, 8, 2, 2, "not balanced");
}

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* A list of "index label" against our members and the archive's labels. */
static void check_list(const char *name, double rho, const int32_t *labels, int64_t count)
{
    int64_t *members = NULL, kept = 0, listed = 0, *list = malloc((size_t)count * sizeof *list);
    long long index;
    int label;
    elm_error err = {0};
    const char *path = shared_data(name);
    if (path == NULL) {
        free(list);
        return;
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fscanf(file, "%lld %d", &index, &label) == 2) {
        assert_in_range(index, 0, count - 1);
        assert_int_equal(labels[index], label);
        list[listed++] = index;
    }
    fclose(file);
    qsort(list, (size_t)listed, sizeof *list, ascending);
    assert_int_equal(elm_subset_long_tail(labels, count, 100, rho, &members, &kept, &err), 0);
    assert_int_equal(kept, listed);
    assert_memory_equal(members, list, (size_t)kept * sizeof *list);
    elm_free(members);
    free(list);
}

static void public_lists(void **state)
{
    (void)state;
    const char *archive = shared_data("cifar-100-rho10.tar.xz");
    if (archive == NULL)
        skip();
    const elm_log log = {.program = "test", .quiet = true};
    const elm_prepare_request request = {
        .archive = archive, .out = scratch_path("cifar100.h5"), .log = &log};
    elm_error err = {0};
    elm_store *store = NULL;
    int32_t *labels = NULL;
    int64_t count = 0;
    if (elm_prepare_run("cifar100", &request, &err) != 0 ||
        elm_store_open(&store, request.out, &err) != 0 ||
        elm_store_labels(store, "train", &labels, &count, &err) != 0)
        fail_msg("%s", err.text);
    check_list("lists/cifar-lt/cifar100_lt100_ldam_seed0_index.txt", 100, labels, count);
    check_list("lists/cifar-lt/cifar100_lt50_ldam_seed0_index.txt", 50, labels, count);
    check_list("lists/cifar-lt/cifar100_lt10_ldam_seed0_index.txt", 10, labels, count);
    elm_free(labels);
    elm_store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_of_numpy),     cmocka_unit_test(shuffles_of_numpy),
        cmocka_unit_test(subsets_of_numpy),   cmocka_unit_test(profiles),
        cmocka_unit_test(impossible_subsets), cmocka_unit_test(public_lists),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
