/* Data sets: a split or its long-tailed subset in memory, with its counts; what cannot be
 * loaded; the order of an epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/long_tail.h"
#include "data/defaults.h"
#include "data/sampling/holdout.h"
#include "data/sampling/sampler.h"
#include "data/sampling/subset.h"
#include "elmpi/dataset.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "image/augment/augment.h"
#include "unit/scratch.h"

enum { CLASSES = 4, PER_CLASS = 50, COUNT = CLASSES * PER_CLASS };

static const char *const class_names[CLASSES] = {"a", "b", "c", "the last"};

/* One-pixel images that hold their own number; `emptied`: that class gets no training image. */
static void write_store(const char *path, int emptied)
{
    const elm_store_info info = {.dataset = "numbers",
                                 .classes = CLASSES,
                                 .height = 1,
                                 .width = 1,
                                 .channels = 1,
                                 .std = {1}};
    elm_store_writer *writer = NULL;
    elm_error err = {0};
    assert_int_equal(elm_store_writer_create(&writer, path, &info, class_names, &err), 0);
    for (int i = 0; i < COUNT; i++)
        if (i % CLASSES != emptied)
            assert_int_equal(
                elm_store_writer_append(writer, "train", i % CLASSES, &(uint8_t){(uint8_t)i}, &err),
                0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(
            elm_store_writer_append(writer, "test", i % 2, &(uint8_t){(uint8_t)(100 + i)}, &err),
            0);
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

static void normalized_by_halves(void **state)
{
    (void)state;
    const char *path = scratch_path("half.h5");
    write_store(path, -1);
    elm_data_options options = {.normalize = ELM_NORMALIZE_HALF};
    snprintf(options.store, sizeof options.store, "%s", path);
    elm_dataset *dataset = NULL;
    elm_error err = {0};
    assert_int_equal(elm_dataset_load_job(&dataset, &options, "train", &err), 0);
    for (int c = 0; c < dataset->info.channels; c++)
        assert_true(dataset->info.mean[c] == 0.5f && dataset->info.std[c] == 1);
    assert_true(dataset->info.channels > 0);
    elm_dataset_destroy(dataset);
}

static void long_tailed(void **state)
{
    (void)state;
    const char *path = scratch_path("tail.h5");
    write_store(path, -1);
    elm_dataset *dataset = load(path, "train", 10);
    int64_t total = 0;
    for (int c = 0; c < CLASSES; c++) {
        assert_int_equal(dataset->class_count[c], elm_long_tail_count(PER_CLASS, 10, c, CLASSES));
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

static void refused(const char *path, const char *split, double imbalance, int code,
                    const char *pattern)
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
    refused(scratch_path("nowhere.h5"), "train", 0, ELM_EXIT_USAGE, "nowhere.h5");
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
    elm_data_options options = {.sampler = "instance"};
    int64_t order[N], again[N], other[N];
    bool seen[N] = {false};
    elm_sampler_order(&options, &dataset, 7, 3, order, NULL);
    elm_sampler_order(&options, &dataset, 7, 3, again, NULL);
    assert_memory_equal(order, again, sizeof order);
    int fixed = 0, same_epoch = 0, same_seed = 0;
    for (int i = 0; i < N; i++) {
        assert_in_range(order[i], 0, N - 1);
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        fixed += order[i] == i;
    }
    elm_sampler_order(&options, &dataset, 7, 4, other, NULL);
    for (int i = 0; i < N; i++)
        same_epoch += order[i] == other[i];
    elm_sampler_order(&options, &dataset, 8, 3, other, NULL);
    for (int i = 0; i < N; i++)
        same_seed += order[i] == other[i];
    assert_in_range(fixed, 0, 9); /* Poisson, mean 1 */
    assert_in_range(same_epoch, 0, 9);
    assert_in_range(same_seed, 0, 9);
    strcpy(options.sampler, "sequential");
    elm_sampler_order(&options, &dataset, 7, 3, order, NULL);
    for (int i = 0; i < N; i++)
        assert_int_equal(order[i], i);
}

/* Loads a split of the store with data.imbalance and data.holdout. */
static int try_held_out(elm_dataset **dataset, const char *path, const char *split,
                        double imbalance, const char *holdout, elm_error *err)
{
    elm_data_options options = {.imbalance = imbalance, .crop = 224, .threads = 1};
    snprintf(options.store, sizeof options.store, "%s", path);
    snprintf(options.holdout, sizeof options.holdout, "%s", holdout);
    assert_int_equal(elm_dataset_holds_out(&options),
                     strcmp(holdout, "0") != 0 && strcmp(holdout, "0.0") != 0);
    return elm_dataset_load_job(dataset, &options, split, err);
}

/* Training and held-out images make up the subset, in store order each; returns how many of each
 * class are held out. */
static void check_holdout(const char *path, double imbalance, const char *holdout,
                          const int64_t expected[CLASSES])
{
    elm_dataset *whole = load(path, "train", imbalance), *train = NULL, *held_out = NULL,
                *again = NULL;
    elm_error err = {0};
    if (try_held_out(&train, path, "train", imbalance, holdout, &err) != 0 ||
        try_held_out(&held_out, path, "holdout", imbalance, holdout, &err) != 0 ||
        try_held_out(&again, path, "holdout", imbalance, holdout, &err) != 0)
        fail_msg("%s", err.text);
    if (train == NULL || held_out == NULL || again == NULL)
        return; /* failed above */
    assert_int_equal(train->count + held_out->count, whole->count);
    int64_t t = 0, h = 0;
    for (int64_t i = 0; i < whole->count; i++) {
        const bool out = h < held_out->count && held_out->images[h] == whole->images[i];
        const elm_dataset *part = out ? held_out : train;
        const int64_t at = out ? h++ : t++;
        assert_int_equal(part->images[at], whole->images[i]);
        assert_int_equal(part->labels[at], whole->labels[i]);
    }
    for (int c = 0; c < CLASSES; c++) {
        assert_int_equal(held_out->class_count[c], expected[c]);
        assert_int_equal(train->class_count[c], whole->class_count[c] - expected[c]);
        assert_true(train->class_count[c] > 0);
    }
    assert_memory_equal(held_out->images, again->images, (size_t)held_out->count);
    elm_dataset_destroy(whole);
    elm_dataset_destroy(train);
    elm_dataset_destroy(held_out);
    elm_dataset_destroy(again);
}

static void held_out_images(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    const char *path = scratch_path("holdout.h5");
    write_store(path, -1);
    check_holdout(path, 0, "5", (const int64_t[]){5, 5, 5, 5});
    check_holdout(path, 0, "0.1", (const int64_t[]){5, 5, 5, 5});
    check_holdout(path, 0, "1000", (const int64_t[]){49, 49, 49, 49});
    check_holdout(path, 0, "0.999", (const int64_t[]){49, 49, 49, 49});
    /* 50, 13, 3, 1 of the classes */
    check_holdout(path, 50, "2", (const int64_t[]){2, 2, 2, 0});
    check_holdout(path, 50, "0.2", (const int64_t[]){10, 3, 1, 0});
    check_holdout(path, 50, "20", (const int64_t[]){20, 12, 2, 0});

    elm_dataset *dataset = NULL, *train = NULL;
    elm_error err = {0};
    assert_int_equal(try_held_out(&dataset, path, "holdout", 0, "0", &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "data.holdout = 0"));
    /* less than half an image */
    assert_int_equal(try_held_out(&dataset, path, "holdout", 0, "0.001", &err), -1);
    assert_null(dataset);
    assert_int_equal(try_held_out(&train, path, "train", 0, "0.0", &err), 0);
    assert_int_equal(train->count, COUNT);
    elm_dataset_destroy(train);
    /* the test set stays whole */
    assert_int_equal(try_held_out(&dataset, path, "test", 0, "5", &err), 0);
    assert_int_equal(dataset->count, 6);
    elm_dataset_destroy(dataset);
    assert_int_equal(elm_alloc_live(), live);
}

static void holdout_values(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "-1", "1.5", "1.0", "x", "5%", "0.1.2", ".", "1e3", "5 ", "nan", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elm_error err = {0};
        if (elm_holdout_check(bad[i], &err) != -1)
            fail_msg("%s was accepted", bad[i]);
        assert_non_null(strstr(err.text, "share of each class"));
    }
    static const char *const good[] = {"", "0", "7", "0.5", ".25"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(elm_holdout_check(good[i], NULL), 0);
}

/* The rows name what the tables hold. */
static void option_rows(void **state)
{
    (void)state;
    const struct {
        const char *key, *default_text, *choices;
    } expected[] = {
        {"data.store", NULL, NULL},
        {"data.imbalance", "0", NULL},
        {"data.augment", "auto", NULL},
        {"data.mix", "none", "none|mixup|cutmix"},
        {"data.mix.alpha", "1", NULL},
        {"data.mix.probability", "1", NULL},
        {"data.normalize", "store", "store|half"},
        {"data.drop_last", "false", NULL},
        {"data.sampler", "instance", NULL},
        {"data.holdout", "0", NULL},
        {"data.crop", "224", NULL},
        {"data.resize", "0", NULL},
        {"data.threads", "2", NULL},
        {"data.unreadable", "0.01", NULL},
        {"data.unreadable_test", "wrong", "wrong|omit"},
        {"data.shards", "", NULL},
        {"data.verify", "sample", "sample|all|none"},
        {"data.outside", "refuse", "refuse|allow"},
        {"data.stage", "", NULL},
    };
    const elm_option *row = elm_data_option_rows;
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++, row++) {
        assert_string_equal(row->key, expected[i].key);
        assert_non_null(row->help);
        assert_int_equal(row->default_text == NULL, expected[i].default_text == NULL);
        if (row->default_text != NULL)
            assert_string_equal(row->default_text, expected[i].default_text);
        if (expected[i].choices != NULL)
            assert_string_equal(row->choices, expected[i].choices);
    }
    assert_null(row->key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_splits),
        cmocka_unit_test(long_tailed),
        cmocka_unit_test(normalized_by_halves),
        cmocka_unit_test(impossible_loads),
        cmocka_unit_test(orders),
        cmocka_unit_test(held_out_images),
        cmocka_unit_test(holdout_values),
        cmocka_unit_test(option_rows),
    };
    return cmocka_run_group_tests(tests, scratch_setup, scratch_teardown);
}
