/* Samplers: how often classes and images come, that an order depends on (seed, epoch) alone, and
 * how far a window's reads jump. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/sampling/sampler.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "image/augment/augment.h"

enum { CLASSES = 6, COUNT = 6231, EPOCHS = 10, BATCH = 100 };

/* A long tail, down to a class of one image; the classes' images lie among each other as far as
 * they go. */
static const int64_t counts[CLASSES] = {4000, 1600, 500, 100, 30, 1};
static int64_t class_count[CLASSES];
static int32_t labels[COUNT];
static float features[COUNT];
static elm_dataset tail = {.info = {.classes = CLASSES, .features = 1},
                           .count = COUNT,
                           .labels = labels,
                           .class_count = class_count,
                           .features = features};

static int fill(void **state)
{
    (void)state;
    for (int64_t i = 0, turn = 0; i < COUNT; turn++)
        for (int c = 0; c < CLASSES; c++)
            if (turn < counts[c]) {
                labels[i] = c;
                features[i] = (float)i;
                class_count[c]++;
                i++;
            }
    return 0;
}

static elm_data_options options_of(const char *sampler)
{
    elm_data_options options = {.augment = "none", .run_epochs = EPOCHS};
    snprintf(options.sampler, sizeof options.sampler, "%s", sampler);
    return options;
}

static void order_of(const elm_data_options *options, const elm_dataset *dataset, uint64_t seed,
                     int64_t epoch, int64_t *order)
{
    assert_int_equal(elm_sampler_order(options, dataset, seed, epoch, order, NULL), 0);
    for (int64_t i = 0; i < dataset->count; i++)
        assert_in_range(order[i], 0, dataset->count - 1);
}

/* Draws of each class over `epochs` epochs from `first` on; no image of a class comes twice more
 * often than another in an epoch. */
static void count_classes(const char *sampler, int first, int epochs, int64_t drawn[CLASSES])
{
    static int64_t order[COUNT];
    static int times[COUNT];
    const elm_data_options options = options_of(sampler);
    memset(drawn, 0, CLASSES * sizeof *drawn);
    for (int epoch = first; epoch < first + epochs; epoch++) {
        int least[CLASSES], most[CLASSES] = {0};
        memset(times, 0, sizeof times);
        order_of(&options, &tail, 5, epoch, order);
        for (int i = 0; i < COUNT; i++) {
            times[order[i]]++;
            drawn[labels[order[i]]]++;
        }
        for (int c = 0; c < CLASSES; c++)
            least[c] = COUNT;
        for (int i = 0; i < COUNT; i++) {
            const int c = labels[i];
            least[c] = times[i] < least[c] ? times[i] : least[c];
            most[c] = times[i] > most[c] ? times[i] : most[c];
        }
        for (int c = 0; c < CLASSES; c++)
            assert_in_range(most[c], least[c], least[c] + 1);
    }
}

/* Pearson's chi-square of the draws; 5 degrees of freedom: above 25.7 once in 10,000. */
static void expect_shares(const char *sampler, int first, int epochs, const double share[CLASSES])
{
    int64_t drawn[CLASSES];
    double square = 0;
    count_classes(sampler, first, epochs, drawn);
    for (int c = 0; c < CLASSES; c++) {
        const double expected = share[c] * COUNT * epochs, off = (double)drawn[c] - expected;
        square += off * off / expected;
    }
    if (square > 25.7)
        fail_msg("%s, epoch %d: chi-square %.1f", sampler, first, square);
}

static void shares(void **state)
{
    (void)state;
    double instance[CLASSES], balanced[CLASSES], root[CLASSES], mixed[CLASSES], roots = 0;
    for (int c = 0; c < CLASSES; c++)
        roots += sqrt((double)counts[c]);
    for (int c = 0; c < CLASSES; c++) {
        instance[c] = (double)counts[c] / COUNT;
        balanced[c] = 1.0 / CLASSES;
        root[c] = sqrt((double)counts[c]) / roots;
        mixed[c] = 0.3 * instance[c] + 0.7 * balanced[c];
    }
    expect_shares("class-balanced", 0, 10, balanced);
    expect_shares("sqrt", 0, 10, root);
    expect_shares("progressive", 0, 1, instance);
    expect_shares("progressive", 7, 1, mixed);
    expect_shares("progressive", EPOCHS, 1, balanced);
    /* a run that was made longer elsewhere */
    expect_shares("progressive", EPOCHS + 5, 1, balanced);
    int64_t drawn[CLASSES];
    count_classes("instance", 0, 1, drawn);
    assert_memory_equal(drawn, counts, sizeof drawn);
}

static void class_aware(void **state)
{
    (void)state;
    enum { K = 4 };
    static int64_t order[COUNT];
    const elm_data_options options = options_of("class-aware:4");
    order_of(&options, &tail, 5, 2, order);
    int repeated = 0;
    for (int64_t turn = 0; (turn + 1) * K * CLASSES <= COUNT; turn++) {
        const int64_t *now = order + turn * K * CLASSES;
        bool seen[CLASSES] = {false};
        for (int c = 0; c < CLASSES; c++) {
            const int32_t class_now = labels[now[c * K]];
            assert_false(seen[class_now]);
            seen[class_now] = true;
            for (int k = 1; k < K; k++)
                /* also of the class that has but one image */
                assert_int_equal(labels[now[c * K + k]], class_now);
            for (int k = 1; k < K && counts[class_now] >= 100; k++)
                repeated += now[c * K + k] == now[c * K];
        }
    }
    assert_in_range(repeated, 0, 30); /* only where one pass of a class ends and another begins */
    int64_t drawn[CLASSES];
    count_classes("class-aware:4", 0, 1, drawn);
    for (int c = 0; c < CLASSES; c++)
        assert_in_range(drawn[c], COUNT / CLASSES - K, COUNT / CLASSES + K);
    count_classes("class-aware:100000", 0, 1, drawn); /* larger than the epoch: one class */
}

static void one_class(void **state)
{
    (void)state;
    static const char *const samplers[] = {"instance", "class-balanced", "sqrt", "progressive",
                                           "class-aware:3"};
    int32_t zeros[7] = {0};
    int64_t order[7], count = 7;
    const elm_dataset dataset = {
        .info = {.classes = 1}, .count = 7, .labels = zeros, .class_count = &count};
    for (int s = 0; s < 5; s++) {
        const elm_data_options options = options_of(samplers[s]);
        bool seen[7] = {false};
        order_of(&options, &dataset, 1, 3, order);
        for (int i = 0; i < 7; i++) {
            assert_false(seen[order[i]]);
            seen[order[i]] = true;
        }
    }
}

/* The order is a function of (seed, epoch): what a sampler did before leaves no trace. */
static void pure(void **state)
{
    (void)state;
    static const char *const samplers[] = {"instance", "class-balanced", "sqrt", "progressive",
                                           "class-aware:3"};
    static int64_t order[COUNT], again[COUNT];
    for (int s = 0; s < 5; s++) {
        const elm_data_options options = options_of(samplers[s]);
        elm_sampler *sampler = NULL;
        elm_error err = {0};
        assert_int_equal(elm_sampler_create(&sampler, &tail, &options, &err), 0);
        for (int epoch = 0; epoch < 4; epoch++)
            elm_sampler_fill(sampler, 9, epoch, again);
        elm_sampler_fill(sampler, 9, 1, again);
        elm_sampler_destroy(sampler);
        order_of(&options, &tail, 9, 1, order);
        assert_memory_equal(order, again, sizeof order);
        order_of(&options, &tail, 9, 2, again);
        assert_memory_not_equal(order, again, sizeof order);
        order_of(&options, &tail, 10, 1, again);
        assert_memory_not_equal(order, again, sizeof order);
    }
}

static elm_loader *start(const elm_data_options *options, int rank, int size, int64_t epoch,
                         int64_t index)
{
    elm_loader *loader = NULL;
    elm_error err = {0};
    if (elm_loader_create_training(&loader, &tail, options, 42, BATCH, BATCH, rank, size, epoch,
                                   index, &err) != 0)
        fail_msg("%s", err.text);
    return loader;
}

/* Three ranks see what one sees, and a start in mid-epoch, over its end, what went on without a
 * stop. */
static void ranks_and_resume(void **state)
{
    (void)state;
    static const char *const samplers[] = {"class-balanced", "sqrt", "progressive",
                                           "class-aware:3"};
    enum { FROM = 40, BATCHES = (COUNT + BATCH - 1) / BATCH };
    for (int s = 0; s < 4; s++) {
        const elm_data_options options = options_of(samplers[s]);
        elm_loader *whole = start(&options, 0, 1, 0, 0), *late = start(&options, 0, 1, 0, FROM),
                   *third = start(&options, 2, 3, 0, 0);
        for (int step = 0; step < BATCHES + 5; step++) {
            const elm_batch *one = elm_loader_next(whole), *part = elm_loader_next(third);
            assert_int_equal(one->images, part->images);
            assert_memory_equal(one->members, part->members,
                                (size_t)one->images * sizeof *one->members);
            assert_memory_equal(one->input + part->share.first, part->input,
                                (size_t)part->share.local * sizeof *part->input);
            if (step >= FROM) {
                const elm_batch *resumed = elm_loader_next(late);
                assert_int_equal(resumed->epoch, one->epoch);
                assert_memory_equal(one->members, resumed->members,
                                    (size_t)one->images * sizeof *one->members);
            }
        }
        elm_loader_destroy(whole);
        elm_loader_destroy(late);
        elm_loader_destroy(third);
    }
}

/* Images in shards, listed in another order than they lie: what a pass reads. */
enum { IMAGES = 400000, SHARDS = 8, LENGTH = 100 * 1024, WINDOW = 2048, CHUNK = 4 << 20 };
static elm_store_place places[IMAGES];
static elm_encoded_images in_shards = {.places = places};
static elm_dataset sharded = {.count = IMAGES, .encoded = &in_shards};

/* Where an image lies among all, counted in images. */
static int64_t place_of(int64_t member)
{
    return places[member].shard * (IMAGES / SHARDS) + places[member].offset / LENGTH;
}

/* Chunks of 4 MiB that a file system fetches in one pass if memory holds those touched in the
 * last WINDOW reads. */
static int64_t fetches(const int64_t *order)
{
    enum { CHUNKS = (int)((int64_t)IMAGES * LENGTH / CHUNK) + 2 };
    static int64_t touched[CHUNKS];
    int64_t fetched = 0;
    for (int c = 0; c < CHUNKS; c++)
        touched[c] = -WINDOW - 1;
    for (int64_t i = 0; i < IMAGES; i++) {
        const int64_t first = place_of(order[i]) * LENGTH / CHUNK,
                      last = (place_of(order[i]) * LENGTH + LENGTH - 1) / CHUNK;
        for (int64_t c = first; c <= last; c++) {
            fetched += i - touched[c] > WINDOW;
            touched[c] = i;
        }
    }
    return fetched;
}

static int ascending(const void *a, const void *b)
{
    const int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

/* The places that a window's positions read are few runs of neighbors. */
static int64_t runs(const int64_t *order, int64_t count)
{
    int64_t place[WINDOW], found = 1;
    for (int64_t i = 0; i < count; i++)
        place[i] = place_of(order[i]);
    qsort(place, (size_t)count, sizeof *place, ascending);
    for (int64_t i = 1; i < count; i++)
        found += place[i] != place[i - 1] + 1;
    return found;
}

static void window(void **state)
{
    (void)state;
    static int64_t order[IMAGES], full[IMAGES], later[IMAGES];
    static bool seen[IMAGES];
    for (int64_t i = 0; i < IMAGES; i++) {
        const int64_t lies = i * 7919 % IMAGES;
        places[i] = (elm_store_place){.shard = (int32_t)(lies / (IMAGES / SHARDS)),
                                      .offset = lies % (IMAGES / SHARDS) * LENGTH,
                                      .length = LENGTH};
    }
    elm_data_options options = options_of("instance");
    order_of(&options, &sharded, 3, 0, full);
    snprintf(options.sampler, sizeof options.sampler, "window:%d", WINDOW);
    order_of(&options, &sharded, 3, 0, order);
    for (int64_t i = 0; i < IMAGES; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
    }
    for (int64_t first = 0; first < IMAGES; first += WINDOW)
        assert_in_range(runs(order + first, first + WINDOW < IMAGES ? WINDOW : IMAGES - first), 1,
                        ELM_WINDOW_BLOCKS + 3);
    order_of(&options, &sharded, 3, 1, later);
    assert_memory_not_equal(order, later, sizeof order);
    order_of(&options, &sharded, 3, 0, later);
    assert_memory_equal(order, later, sizeof order);

    const int64_t least = (int64_t)IMAGES * LENGTH / CHUNK, some = fetches(order),
                  all = fetches(full);
    printf("%d images of 100 KiB: one pass fetches %lld chunks of 4 MiB with window:%d, %lld "
           "with instance, %lld at least\n",
           IMAGES, (long long)some, WINDOW, (long long)all, (long long)least);
    assert_true(some < 3 * least);
    assert_true(all > 10 * some);

    /* wider than the set: all of it mixes */
    options = options_of("window:1000000");
    order_of(&options, &sharded, 3, 0, later);
    memset(seen, 0, sizeof seen);
    for (int64_t i = 0; i < IMAGES; i++) {
        assert_false(seen[later[i]]);
        seen[later[i]] = true;
    }
}

static void refused(const elm_data_options *options, const char *text)
{
    elm_sampler *sampler = NULL;
    elm_error err = {0};
    assert_int_equal(elm_sampler_create(&sampler, &tail, options, &err), -1);
    assert_null(sampler);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, text));
}

static void bad_values(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    static const char *const bad[] = {
        "instances",      "class-aware", "class-aware:",   "class-aware:0", "class-aware:-1",
        "class-aware:4x", "sqrt:2",      "class-aware: 4", "progressive:3", "shuffle",
        "sequential:1",   "window",      "window:0",       "window:63",     "window:64k",
        "window:-100",    "full"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const elm_data_options options = options_of(bad[i]);
        refused(&options, "class-aware:<k>");
    }
    assert_int_equal(elm_sampler_check("window:64", NULL), 0);
    assert_int_equal(elm_sampler_check("", NULL), 0);
    elm_data_options options = options_of("progressive");
    options.run_epochs = 0;
    refused(&options, "progressive");
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares),           cmocka_unit_test(class_aware),
        cmocka_unit_test(one_class),        cmocka_unit_test(pure),
        cmocka_unit_test(ranks_and_resume), cmocka_unit_test(window),
        cmocka_unit_test(bad_values),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
