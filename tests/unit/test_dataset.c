/* Data sets: a split or its long-tailed subset in memory, with its counts; what cannot be loaded; the order of an epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/augment.h"
#include "data/sampler.h"
#include "elmpi/dataset.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "elmpi/subset.h"
#include "unit/scratch.h"

enum { CLASSES = 4, PER_CLASS = 50, COUNT = CLASSES * PER_CLASS };

static const char *const class_names[CLASSES] = {"a", "b", "c", "the last"};

/* One-pixel pictures that hold their own number; `emptied`: that class gets no training image. */
static void write_store(const char *path, int emptied)
{
    const elm_store_info info = {.dataset = "numbers", .classes = CLASSES, .height = 1, .width = 1, .channels = 1, .deviation = {1}};
    elm_store_writer *writer = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_writer_create(&writer, path, &info, class_names, &err), 0);
    for (int i = 0; i < COUNT; i++)
        if (i % CLASSES != emptied)
            assert_int_equal(elm_store_writer_append(writer, "train", i % CLASSES, &(uint8_t){(uint8_t)i}, &err), 0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(elm_store_writer_append(writer, "test", i % 2, &(uint8_t){(uint8_t)(100 + i)}, &err), 0);
    assert_int_equal(elm_store_writer_finish(writer, &err), 0);
}

static elm_dataset *load(const char *path, const char *split, double imbalance)
{
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    if (elm_dataset_load(&dataset, path, split, imbalance, &err) != 0)
        fail_msg("%s", err.text);
    return dataset;
}

static void whole_splits(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    const char *path = scratch_path("whole.h5");
    write_store(path, -1);
    elm_dataset *train = load(path, "train", 0), *test = load(path, "test", 0);
    assert_int_equal(train->count, COUNT);
    assert_null(train->features);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(train->images[i], i);
        assert_int_equal(train->labels[i], i % CLASSES);
    }
    for (int c = 0; c < CLASSES; c++) {
        assert_int_equal(train->class_count[c], PER_CLASS);
        assert_int_equal(test->class_count[c], c < 2 ? 3 : 0); /* a test set may lack classes */
        assert_string_equal(train->class_names[c], class_names[c]);
    }
    assert_int_equal(test->count, 6);
    assert_int_equal(test->images[5], 105);
    assert_string_equal(test->info.dataset, "numbers");
    elm_dataset_destroy(train);
    elm_dataset_destroy(test);
    elm_dataset_destroy(NULL);
    assert_int_equal(elm_alloc_live(), live);
}

static void long_tailed(void **state)
{
    (void)state;
    const char *path = scratch_path("tail.h5");
    write_store(path, -1);
    elm_dataset *dataset = load(path, "train", 10);
    int64_t total = 0;
    for (int c = 0; c < CLASSES; c++) {
        assert_int_equal(dataset->class_count[c], elm_subset_class_count(PER_CLASS, 10, c, CLASSES));
        total += dataset->class_count[c];
    }
    assert_int_equal(dataset->class_count[CLASSES - 1], 5);
    assert_int_equal(dataset->count, total);
    for (int64_t i = 0; i < total; i++) {
        assert_int_equal(dataset->labels[i], dataset->images[i] % CLASSES);
        if (i > 0)
            assert_true(dataset->images[i] > dataset->images[i - 1]); /* store order */
    }
    elm_dataset_destroy(dataset);
}

static void refused(const char *path, const char *split, double imbalance, int code, const char *pattern)
{
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    assert_int_equal(elm_dataset_load(&dataset, path, split, imbalance, &err), -1);
    assert_null(dataset);
    assert_int_equal(err.code, code);
    if (strstr(err.text, pattern) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, pattern);
    assert_int_equal(elm_alloc_live(), live);
}

static void impossible_loads(void **state)
{
    (void)state;
    const char *path = scratch_path("good.h5"), *emptied = scratch_path("emptied.h5");
    write_store(path, -1);
    write_store(emptied, 2);
    refused(scratch_path("nowhere.h5"), "train", 0, ELM_EXIT_FAILURE, "nowhere.h5");
    refused(path, "val", 0, ELM_EXIT_FAILURE, "no split \"val\"");
    refused(path, "train", 0.5, ELM_EXIT_USAGE, "data.imbalance");
    refused(path, "train", 51, ELM_EXIT_USAGE, "without an image");
    refused(emptied, "train", 0, ELM_EXIT_FAILURE, "class 2 (c) has no training image");
    refused(emptied, "train", 2, ELM_EXIT_USAGE, "not balanced");
    elm_dataset_destroy(load(emptied, "test", 0));
}

static void orders(void **state)
{
    (void)state;
    enum { N = 1000 };
    elm_dataset dataset = {.count = N};
    elm_data_options options = {.order = ELM_ORDER_SHUFFLE};
    int64_t order[N], again[N], other[N];
    bool seen[N] = {false};
    elm_sampler_order(&options, &dataset, 7, 3, order);
    elm_sampler_order(&options, &dataset, 7, 3, again);
    assert_memory_equal(order, again, sizeof order);
    int fixed = 0, same_epoch = 0, same_seed = 0;
    for (int i = 0; i < N; i++) {
        assert_in_range(order[i], 0, N - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    elm_sampler_order(&options, &dataset, 7, 4, other);
    for (int i = 0; i < N; i++)
        same_epoch += order[i] == other[i];
    elm_sampler_order(&options, &dataset, 8, 3, other);
    for (int i = 0; i < N; i++)
        same_seed += order[i] == other[i];
    assert_in_range(fixed, 0, 9); /* Poisson, mean 1 */
    assert_in_range(same_epoch, 0, 9);
    assert_in_range(same_seed, 0, 9);
    options.order = ELM_ORDER_SEQUENTIAL;
    elm_sampler_order(&options, &dataset, 7, 3, order);
    for (int i = 0; i < N; i++)
        assert_int_equal(order[i], i);
}

/* The rows name what the tables hold. */
static void option_rows(void **state)
{
    (void)state;
    const struct {
        const char *key, *fallback, *choices;
    } expected[] = {
        {"data.store", NULL, NULL},
        {"data.imbalance", "0", NULL},
        {"data.augment", "auto", "auto|none|crop-flip|shift|resized-crop"},
        {"data.order", "shuffle", "shuffle|sequential"},
        {"data.sampler", "instance", "instance"},
        {"data.crop", "224", NULL},
        {"data.resize", "0", NULL},
        {"data.threads", "2", NULL},
        {"data.unreadable", "0.01", NULL},
        {"data.shards", "", NULL},
    };
    const elm_option *row = elm_data_option_rows;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++, row++) {
        assert_string_equal(row->key, expected[i].key);
        assert_non_null(row->help);
        assert_int_equal(row->fallback == NULL, expected[i].fallback == NULL);
        if (row->fallback != NULL)
            assert_string_equal(row->fallback, expected[i].fallback);
        if (expected[i].choices != NULL)
            assert_string_equal(row->choices, expected[i].choices);
    }
    assert_null(row->key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_splits), cmocka_unit_test(long_tailed), cmocka_unit_test(impossible_loads),
        cmocka_unit_test(orders),       cmocka_unit_test(option_rows),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
