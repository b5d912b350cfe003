/* The loader: what a batch holds is a function of (seed, epoch, index) alone, whatever the
 * number of ranks and wherever it starts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "data/samples.h"
#include "data/sampling/sampler.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"
#include "image/augment/augment.h"

enum {
    COUNT = 103,
    SIDE = 8,
    ROW = SIDE * SIDE,
    CLASSES = 5,
    BATCH = 16,
    BATCHES = 7,
    LAST = COUNT % BATCH
};

static uint8_t images[COUNT * ROW];
static int32_t labels[COUNT];
static float features[COUNT * 2];

static elm_dataset image_set = {
    .info = {.dataset = "made-up",
             .classes = CLASSES,
             .height = SIDE,
             .width = SIDE,
             .channels = 1,
             .mean = {.5f},
             .std = {.25f}},
    .count = COUNT,
    .labels = labels,
    .images = images,
};
static elm_dataset points = {.info = {.dataset = "points", .classes = CLASSES, .features = 2},
                             .count = COUNT,
                             .labels = labels,
                             .features = features};

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        labels[i] = i % CLASSES;
        features[2 * i] = (float)i;
        features[2 * i + 1] = (float)-i;
        for (int p = 0; p < ROW; p++)
            images[i * ROW + p] = (uint8_t)(1 + (i * 31 + p * 7) % 255);
    }
    return 0;
}

static elm_loader *start(const elm_dataset *dataset, const elm_data_options *options, int64_t batch,
                         int rank, int size, int64_t epoch, int64_t index)
{
    elm_loader *loader = NULL;
    elm_error err = {0};
    if (elm_loader_create_training(&loader, dataset, options, 42, batch, batch, rank, size, epoch,
                                   index, &err) != 0)
        fail_msg("%s", err.text);
    return loader;
}

static void expect_batch(const elm_batch *batch, int64_t epoch, int64_t index, int64_t global)
{
    assert_non_null(batch);
    assert_int_equal(batch->epoch, epoch);
    assert_int_equal(batch->index, index);
    assert_int_equal(batch->share.global, global);
    assert_ptr_equal(batch->labels, batch->microbatch_labels + batch->share.first);
    for (int64_t i = 0; i < global; i++)
        assert_int_equal(batch->global_labels[i], labels[batch->members[i]]);
}

/* Three epochs on one rank and the same on `size` ranks: the shares laid side by side are the
 * one rank's batch, to the bit. */
static void check_ranks(int size)
{
    const elm_data_options options = {.augment = "auto"};
    elm_loader *whole = start(&image_set, &options, BATCH, 0, 1, 0, 0), *part[8];
    for (int r = 0; r < size; r++)
        part[r] = start(&image_set, &options, BATCH, r, size, 0, 0);
    for (int step = 0; step < 3 * BATCHES; step++) {
        const elm_batch *one = elm_loader_next(whole);
        const int64_t global = step % BATCHES == BATCHES - 1 ? LAST : BATCH;
        expect_batch(one, step / BATCHES, step % BATCHES, global);
        int64_t first = 0;
        for (int r = 0; r < size; r++) {
            const elm_batch *batch = elm_loader_next(part[r]);
            expect_batch(batch, step / BATCHES, step % BATCHES, global);
            assert_int_equal(batch->share.first, first);
            assert_int_equal(batch->share.size, size);
            assert_memory_equal(batch->members, one->members,
                                (size_t)global * sizeof *one->members);
            assert_memory_equal(batch->input, one->input + first * ROW,
                                (size_t)(batch->share.local * ROW) * sizeof(float));
            first += batch->share.local;
        }
        assert_int_equal(first, global);
    }
    elm_loader_destroy(whole);
    for (int r = 0; r < size; r++)
        elm_loader_destroy(part[r]);
}

static void any_number_of_ranks(void **state)
{
    (void)state;
    for (int size = 1; size <= 4; size++)
        check_ranks(size);
    check_ranks(8); /* the last batch's 7 images leave a rank without any */
}

static bool equal(const float *a, const float *b)
{
    for (int p = 0; p < ROW; p++)
        if (a[p] != b[p])
            return false;
    return true;
}

/* Whole batches alone, on any number of ranks; what an epoch leaves out, another may have. */
static void last_batch_dropped(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "auto", .drop_last = true};
    assert_int_equal(elm_loader_batches(&image_set, BATCH, true), BATCHES - 1);
    assert_int_equal(elm_loader_batches(&image_set, COUNT + 1, true), 1); /* there must be one */
    for (int size = 1; size <= 3; size++) {
        elm_loader *loader = start(&image_set, &options, BATCH, size - 1, size, 0, 0);
        for (int step = 0; step < 3 * (BATCHES - 1); step++)
            expect_batch(elm_loader_next(loader), step / (BATCHES - 1), step % (BATCHES - 1),
                         BATCH);
        elm_loader_destroy(loader);
    }
}

static void every_image_once_an_epoch(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "auto"};
    elm_loader *loader = start(&image_set, &options, BATCH, 0, 1, 0, 0);
    static float epoch_input[2][COUNT][ROW];
    int moved = 0;
    for (int epoch = 0; epoch < 2; epoch++) {
        bool seen[COUNT] = {false};
        for (int b = 0; b < BATCHES; b++) {
            const elm_batch *batch = elm_loader_next(loader);
            for (int i = 0; i < batch->share.local; i++) {
                assert_false(seen[batch->members[i]]);
                seen[batch->members[i]] = true;
                memcpy(epoch_input[epoch][batch->members[i]], batch->input + i * ROW,
                       ROW * sizeof(float));
            }
        }
        for (int i = 0; i < COUNT; i++)
            assert_true(seen[i]);
    }
    /* nine shifts: an image comes the same again one time in nine */
    for (int i = 0; i < COUNT; i++)
        moved += !equal(epoch_input[0][i], epoch_input[1][i]);
    assert_in_range(moved, COUNT * 7 / 9, COUNT);
    elm_loader_destroy(loader);
}

/* Augmentation belongs to the place in the epoch, not to the image: an image that comes twice is
 * augmented anew. */
static void augmented_by_position(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "crop-flip"};
    elm_augment augment;
    elm_error err = {0};
    float expected[ROW];
    const elm_image_format format = elm_image_format_of(&image_set.info);
    assert_int_equal(elm_augment_init(&augment, "crop-flip", &format, &err), 0);
    elm_loader *loader = start(&image_set, &options, BATCH, 1, 3, 2, 0);
    for (int step = 0; step < 2 * BATCHES; step++) {
        const elm_batch *batch = elm_loader_next(loader);
        for (int i = 0; i < batch->share.local; i++) {
            const int64_t at = batch->share.first + i;
            elm_rng rng = elm_rng_stream(42, ELM_RNG_AUGMENT, (uint64_t)batch->epoch,
                                         (uint64_t)(batch->index * BATCH + at));
            elm_augment_image(&augment, NULL, &rng, images + batch->members[at] * ROW, expected);
            assert_memory_equal(batch->input + i * ROW, expected, sizeof expected);
        }
    }
    elm_loader_destroy(loader);
}

static void starts_anywhere(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "shift"};
    for (int64_t skipped = 1; skipped < 2 * BATCHES + 2; skipped += 3) {
        elm_loader *whole = start(&image_set, &options, BATCH, 1, 3, 0, 0);
        elm_loader *later =
            start(&image_set, &options, BATCH, 1, 3, skipped / BATCHES, skipped % BATCHES);
        for (int64_t i = 0; i < skipped; i++)
            elm_loader_next(whole);
        for (int i = 0; i < BATCHES + 1; i++) {
            const elm_batch *a = elm_loader_next(whole), *b = elm_loader_next(later);
            assert_int_equal(a->epoch, b->epoch);
            assert_int_equal(a->index, b->index);
            assert_memory_equal(a->members, b->members,
                                (size_t)a->share.global * sizeof *a->members);
            assert_memory_equal(a->input, b->input, (size_t)(a->share.local * ROW) * sizeof(float));
        }
        elm_loader_destroy(whole);
        elm_loader_destroy(later);
    }
    elm_loader *end_of_epoch = start(&image_set, &options, BATCH, 0, 1, 4, BATCHES);
    expect_batch(elm_loader_next(end_of_epoch), 5, 0, BATCH);
    elm_loader_destroy(end_of_epoch);
}

static void sequential_without_augmentation(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "none", .sampler = "sequential"};
    elm_loader *loader = start(&image_set, &options, BATCH, 0, 1, 0, 0);
    for (int step = 0; step < 2 * BATCHES; step++) {
        const elm_batch *batch = elm_loader_next(loader);
        for (int i = 0; i < batch->share.local; i++) {
            const int member = step % BATCHES * BATCH + i;
            assert_int_equal(batch->members[i], member);
            for (int p = 0; p < ROW; p++)
                assert_true(batch->input[i * ROW + p] ==
                            (float)((images[member * ROW + p] / 255.0 - .5) / .25));
        }
    }
    elm_loader_destroy(loader);
}

static void features_pass_through(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "auto"};
    /* a batch larger than the data set holds all of it */
    elm_loader *loader = start(&points, &options, COUNT + 50, 0, 1, 0, 0);
    const elm_batch *batch = elm_loader_next(loader);
    expect_batch(batch, 0, 0, COUNT);
    for (int i = 0; i < COUNT; i++) {
        assert_true(batch->input[2 * i] == (float)batch->members[i]);
        assert_true(batch->input[2 * i + 1] == -(float)batch->members[i]);
    }
    expect_batch(elm_loader_next(loader), 1, 0, COUNT);
    elm_loader_destroy(loader);

    elm_error err = {0};
    const elm_data_options wrong = {.augment = "shift"};
    const int64_t live = elm_alloc_live();
    assert_int_equal(
        elm_loader_create_training(&loader, &points, &wrong, 42, BATCH, BATCH, 0, 1, 0, 0, &err),
        -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_null(loader);
    assert_int_equal(elm_alloc_live(), live);
}

static void evaluation_sees_each_image_once(void **state)
{
    (void)state;
    for (int size = 1; size <= 9; size++) { /* nine ranks for seven batches */
        int seen[COUNT] = {0};
        for (int rank = 0; rank < size; rank++) {
            elm_loader *loader = NULL;
            elm_error err = {0};
            assert_int_equal(
                elm_loader_create_evaluation(&loader, &image_set, BATCH, rank, size, &err), 0);
            const elm_batch *batch;
            for (int64_t index = rank; (batch = elm_loader_next(loader)) != NULL; index += size) {
                expect_batch(batch, 0, index, index == BATCHES - 1 ? LAST : BATCH);
                assert_int_equal(batch->share.local, batch->share.global);
                for (int i = 0; i < batch->share.local; i++) {
                    assert_int_equal(batch->members[i], index * BATCH + i);
                    seen[batch->members[i]]++;
                    assert_true(batch->input[i * ROW] ==
                                (float)((images[batch->members[i] * ROW] / 255.0 - .5) / .25));
                }
            }
            assert_null(elm_loader_next(loader)); /* and again */
            elm_loader_destroy(loader);
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(seen[i], 1);
    }
}

static void no_allocation_and_prompt_end(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "auto"};
    const int64_t live = elm_alloc_live();
    elm_loader *loader = start(&image_set, &options, BATCH, 0, 2, 0, 0);
    const int64_t calls = elm_alloc_calls();
    for (int i = 0; i < 100; i++)
        elm_loader_next(loader);
    assert_int_equal(elm_alloc_calls(), calls);
    assert_true(elm_loader_waited(loader) >= 0);
    elm_loader_destroy(loader);
    /* destroyed while the thread is at work, waits, or has not begun */
    for (int i = 0; i < 50; i++) {
        loader = start(&image_set, &options, BATCH, 0, 1, 0, 0);
        for (int k = 0; k < i % 5; k++)
            elm_loader_next(loader);
        if (i % 3 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 300000}, NULL);
        elm_loader_destroy(loader);
    }
    elm_loader_destroy(NULL);
    assert_int_equal(elm_alloc_live(), live);
}

/* A global batch in parts: the same images and augmentation in the same order, and the whole
 * batch's labels with each part. */
static void parts_make_up_the_batch(void **state)
{
    (void)state;
    enum { PART = 7 };
    const elm_data_options options = {.augment = "auto"};
    elm_loader *whole = start(&image_set, &options, BATCH, 0, 1, 0, 1), *loader = NULL;
    elm_error err = {0};
    assert_int_equal(elm_loader_create_training(&loader, &image_set, &options, 42, BATCH, PART, 0,
                                                1, 0, 1, &err),
                     0);
    for (int step = 1; step < 2 * BATCHES; step++) {
        const elm_batch *one = elm_loader_next(whole), *part;
        int64_t seen = 0, smallest = BATCH, largest = 0, parts = 0;
        assert_false(one->continues || one->more);
        do {
            part = elm_loader_next(loader);
            assert_int_equal(part->continues, seen > 0);
            assert_int_equal(part->position, one->position + seen);
            assert_int_equal(part->index, one->index);
            assert_int_equal(part->images, one->share.global);
            assert_memory_equal(part->global_labels, one->global_labels,
                                (size_t)part->images * sizeof *part->global_labels);
            assert_memory_equal(part->labels, one->labels + seen,
                                (size_t)part->share.global * sizeof *part->labels);
            assert_memory_equal(part->members, one->members + seen,
                                (size_t)part->share.global * sizeof *part->members);
            assert_memory_equal(part->input, one->input + seen * ROW,
                                (size_t)(part->share.global * ROW) * sizeof(float));
            seen += part->share.global;
            smallest = part->share.global < smallest ? part->share.global : smallest;
            largest = part->share.global > largest ? part->share.global : largest;
            parts++;
        } while (part->more);
        assert_int_equal(seen, one->share.global);
        assert_int_equal(parts, (seen + PART - 1) / PART);
        assert_true(largest <= PART && largest - smallest <= 1); /* nothing left over */
    }
    elm_loader_destroy(whole);
    elm_loader_destroy(loader);
}

/* The batch in the caller's hands stays what it is while the thread runs ahead. */
static void a_held_batch_stays(void **state)
{
    (void)state;
    const elm_data_options options = {.augment = "auto"};
    elm_loader *loader = start(&image_set, &options, BATCH, 0, 1, 0, 0);
    float copy[BATCH * ROW];
    for (int i = 0; i < 10; i++) {
        const elm_batch *batch = elm_loader_next(loader);
        memcpy(copy, batch->input, (size_t)(batch->share.local * ROW) * sizeof *copy);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        assert_memory_equal(copy, batch->input, (size_t)(batch->share.local * ROW) * sizeof *copy);
    }
    elm_loader_destroy(loader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks),
        cmocka_unit_test(every_image_once_an_epoch),
        cmocka_unit_test(last_batch_dropped),
        cmocka_unit_test(augmented_by_position),
        cmocka_unit_test(starts_anywhere),
        cmocka_unit_test(sequential_without_augmentation),
        cmocka_unit_test(features_pass_through),
        cmocka_unit_test(evaluation_sees_each_image_once),
        cmocka_unit_test(no_allocation_and_prompt_end),
        cmocka_unit_test(parts_make_up_the_batch),
        cmocka_unit_test(a_held_batch_stays),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
