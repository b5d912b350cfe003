/* Mixed batches: the draw is that of the seed, the epoch and the global batch, images are those of
 * the unmixed batch mixed by the formula, the same whatever the ranks and parts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "data/mixing.h"
#include "elmpi/loader.h"
#include "elmpi/memory.h"

enum { COUNT = 103, SIDE = 8, CHANNELS = 3, ROW = CHANNELS * SIDE * SIDE, CLASSES = 5, BATCH = 16 };

static uint8_t pixels[COUNT * ROW];
static int32_t labels[COUNT];
static float features[COUNT * 2];

static elm_dataset colored = {
    .info = {.dataset = "made-up",
             .classes = CLASSES,
             .height = SIDE,
             .width = SIDE,
             .channels = CHANNELS,
             .mean = {.5f, .4f, .6f},
             .std = {.25f, .2f, .3f}},
    .count = COUNT,
    .labels = labels,
    .images = pixels,
};
static elm_dataset points = {.info = {.dataset = "points", .classes = CLASSES, .features = 2},
                             .count = COUNT,
                             .labels = labels,
                             .features = features};

static int fill(void **state)
{
    (void)state;
    for (int i = 0; i < COUNT; i++) {
        labels[i] = i * i % CLASSES;
        features[2 * i] = (float)i;
        features[2 * i + 1] = (float)-i;
        for (int p = 0; p < ROW; p++)
            pixels[i * ROW + p] = (uint8_t)((i * 31 + p * 7) % 256);
    }
    return 0;
}

static elm_data_options options_for(int mix)
{
    return (elm_data_options){
        .augment = "auto", .mix = mix, .mix_alpha = 0.7, .mix_probability = 1};
}

/* Global batch `index` of epoch 3 as `ranks` ranks load it in parts of `part`: its rows, labels and
 * partners' labels in global order. */
typedef struct loaded {
    float rows[BATCH * ROW];
    int32_t labels[BATCH], partners[BATCH];
    double own;
    bool mixed;
    int images;
} loaded;

static loaded load(const elm_dataset *dataset, int mix, int64_t index, int ranks, int64_t part)
{
    const elm_data_options options = options_for(mix);
    const size_t values = dataset->features ? 2 : ROW;
    loaded l = {.own = 1};
    for (int rank = 0; rank < ranks; rank++) {
        elm_loader *loader = NULL;
        elm_error err = {0};
        elm_data_options own = options;
        if (dataset->features)
            snprintf(own.augment, sizeof own.augment, "none");
        if (elm_loader_create_training(&loader, dataset, &own, 42, BATCH, part, rank, ranks, 3,
                                       index, &err))
            fail_msg("%s", err.text);
        const elm_batch *batch;
        do {
            batch = elm_loader_next(loader);
            const int64_t first = batch->position - index * BATCH + batch->share.first;
            memcpy(l.rows + (size_t)first * values, batch->input,
                   (size_t)batch->share.local * values * sizeof(float));
            for (int i = 0; i < batch->share.local; i++) {
                l.labels[first + i] = batch->labels[i];
                if (batch->partner_labels)
                    l.partners[first + i] = batch->partner_labels[i];
            }
            l.mixed = batch->partner_labels != NULL;
            l.own = l.mixed ? batch->own_share : 1;
            l.images = (int)batch->images;
        } while (batch->more);
        elm_loader_destroy(loader);
    }
    return l;
}

static void check_pixels(const loaded *plain, const loaded *mixed, const elm_mixing *m,
                         const int64_t *partner, int i)
{
    for (int c = 0; c < CHANNELS; c++)
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                const int at = (c * SIDE + y) * SIDE + x;
                const double own = (double)plain->rows[i * ROW + at],
                             other = (double)plain->rows[partner[i] * ROW + at];
                const bool inside =
                    y >= m->top && y < m->top + m->height && x >= m->left && x < m->left + m->width;
                const double expected =
                    m->pastes ? (inside ? other : own) : m->share * own + (1 - m->share) * other;
                assert_true(fabs((double)mixed->rows[i * ROW + at] - expected) <= 1e-6);
            }
}

static void images_are_those_of_the_batch_mixed(void **state)
{
    (void)state;
    static const int64_t indices[] = {0, 2, COUNT / BATCH}; /* the last is a smaller one */
    for (int mix = ELM_MIX_MIXUP; mix <= ELM_MIX_CUTMIX; mix++)
        for (int k = 0; k < 3; k++) {
            const elm_data_options options = options_for(mix);
            const loaded plain = load(&colored, ELM_MIX_NONE, indices[k], 1, BATCH),
                         mixed = load(&colored, mix, indices[k], 1, BATCH);
            int64_t partner[BATCH];
            int seen[BATCH] = {0};
            const elm_mixing m =
                elm_mixing_draw(&options, 42, 3, indices[k], plain.images, SIDE, SIDE, partner);
            assert_true(!plain.mixed && mixed.mixed && m.mixes && mixed.own == m.share);
            assert_memory_equal(plain.labels, mixed.labels, sizeof plain.labels);
            for (int i = 0; i < plain.images; i++) {
                seen[partner[i]]++;
                assert_int_equal(mixed.partners[i], plain.labels[partner[i]]);
                check_pixels(&plain, &mixed, &m, partner, i);
            }
            for (int i = 0; i < plain.images; i++)
                assert_int_equal(seen[i], 1);
        }
}

static void ranks_and_parts_do_not_matter(void **state)
{
    (void)state;
    static const int ranks[] = {1, 2, 3, 4};
    static const int64_t parts[] = {BATCH, 5};
    for (int mix = ELM_MIX_MIXUP; mix <= ELM_MIX_CUTMIX; mix++) {
        const loaded whole = load(&colored, mix, 1, 1, BATCH);
        for (int r = 0; r < 4; r++)
            for (int p = 0; p < 2; p++) {
                const loaded cut = load(&colored, mix, 1, ranks[r], parts[p]);
                assert_memory_equal(whole.rows, cut.rows, sizeof whole.rows);
                assert_memory_equal(whole.partners, cut.partners, sizeof whole.partners);
                assert_true(whole.own == cut.own);
            }
    }
    const loaded whole = load(&points, ELM_MIX_MIXUP, 1, 1, BATCH),
                 cut = load(&points, ELM_MIX_MIXUP, 1, 3, 5);
    assert_memory_equal(whole.rows, cut.rows, 2 * BATCH * sizeof(float));
    assert_true(whole.mixed && whole.rows[0] == -whole.rows[1]);
}

/* The label's share is the area that is left, of a box whose sides are those of the formula where
 * it is not clipped. */
static void boxes_are_the_formulas(void **state)
{
    (void)state;
    const elm_data_options options = {.mix = ELM_MIX_CUTMIX, .mix_alpha = 1, .mix_probability = 1};
    int64_t partner[4];
    int whole = 0, clipped = 0;
    double shares = 0;
    enum { DRAWS = 4000, HEIGHT = 24, WIDTH = 32 };
    for (int i = 0; i < DRAWS; i++) {
        elm_rng rng = elm_rng_stream(7, ELM_RNG_MIX, 0, (uint64_t)i);
        elm_rng_uniform(&rng);
        const double lambda = elm_mixing_beta(&rng, 1);
        const elm_mixing m = elm_mixing_draw(&options, 7, 0, i, 4, HEIGHT, WIDTH, partner);
        const int width = (int)(WIDTH * sqrt(1 - lambda)) / 2 * 2,
                  height = (int)(HEIGHT * sqrt(1 - lambda)) / 2 * 2;
        assert_true(m.top >= 0 && m.left >= 0 && m.top + m.height <= HEIGHT &&
                    m.left + m.width <= WIDTH && m.width <= width && m.height <= height);
        assert_float_equal(m.share, 1 - (double)(m.width * m.height) / (HEIGHT * WIDTH), 1e-12);
        whole += m.width == width && m.height == height;
        clipped += m.width < width || m.height < height;
        shares += lambda;
    }
    assert_true(whole > 500 && clipped > 500);
    assert_float_equal(shares / DRAWS, 0.5, 0.02);
}

/* Mean 1/2 and variance 1 / (4 (2 alpha + 1)), symmetric. */
static void lambda_is_beta(void **state)
{
    (void)state;
    static const double alphas[] = {0.05, 0.2, 0.5, 1, 2, 8};
    enum { DRAWS = 40000 };
    for (int a = 0; a < 6; a++) {
        elm_rng rng = elm_rng_stream(1, ELM_RNG_MIX, (uint64_t)a, 0);
        double sum = 0, squares = 0;
        for (int i = 0; i < DRAWS; i++) {
            const double x = elm_mixing_beta(&rng, alphas[a]);
            assert_true(x >= 0 && x <= 1);
            sum += x - 0.5;
            squares += (x - 0.5) * (x - 0.5);
        }
        const double variance = 1 / (4 * (2 * alphas[a] + 1));
        assert_float_equal(sum / DRAWS, 0, 4 * sqrt(variance / DRAWS));
        assert_float_equal(squares / DRAWS, variance, 0.03 * variance);
    }
    int middle = 0; /* of an alpha whose gamma variates underflow: alpha ln 81 / 2 is between */
    for (int i = 0; i < DRAWS; i++) {
        elm_rng rng = elm_rng_stream(2, ELM_RNG_MIX, (uint64_t)i, 0);
        const double x = elm_mixing_beta(&rng, 1e-3);
        assert_true(x >= 0 && x <= 1);
        middle += x > 0.1 && x < 0.9;
    }
    assert_in_range(middle, DRAWS * 3 / 2000, DRAWS * 3 / 1000);
}

static void some_batches_stay_whole(void **state)
{
    (void)state;
    elm_data_options options = options_for(ELM_MIX_MIXUP);
    int64_t partner[4];
    int mixed = 0;
    options.mix_probability = 0.3;
    for (int i = 0; i < 10000; i++)
        mixed += elm_mixing_draw(&options, 1, 0, i, 4, SIDE, SIDE, partner).mixes;
    assert_in_range(mixed, 2850, 3150);
    options.mix_probability = 0;
    assert_false(elm_mixing_draw(&options, 1, 0, 0, 4, SIDE, SIDE, partner).mixes);
    options = options_for(ELM_MIX_NONE);
    assert_false(elm_mixing_draw(&options, 1, 0, 0, 4, SIDE, SIDE, partner).mixes);
}

static void points_have_no_boxes(void **state)
{
    (void)state;
    elm_data_options options = options_for(ELM_MIX_CUTMIX);
    elm_loader *loader = NULL;
    elm_error err = {0};
    snprintf(options.augment, sizeof options.augment, "none");
    const int64_t live = elm_alloc_live();
    assert_int_equal(
        elm_loader_create_training(&loader, &points, &options, 42, BATCH, BATCH, 0, 1, 0, 0, &err),
        -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "data.mix = cutmix"));
    assert_int_equal(elm_alloc_live(), live);
}

static void loading_allocates_nothing(void **state)
{
    (void)state;
    const elm_data_options options = options_for(ELM_MIX_MIXUP);
    elm_loader *loader = NULL;
    const int64_t live = elm_alloc_live();
    assert_int_equal(
        elm_loader_create_training(&loader, &colored, &options, 42, BATCH, BATCH, 0, 2, 0, 0, NULL),
        0);
    elm_loader_next(loader);
    const int64_t calls = elm_alloc_calls();
    for (int i = 0; i < 30; i++)
        elm_loader_next(loader);
    assert_int_equal(elm_alloc_calls(), calls);
    elm_loader_destroy(loader);
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_are_those_of_the_batch_mixed),
        cmocka_unit_test(ranks_and_parts_do_not_matter),
        cmocka_unit_test(boxes_are_the_formulas),
        cmocka_unit_test(lambda_is_beta),
        cmocka_unit_test(some_batches_stay_whole),
        cmocka_unit_test(points_have_no_boxes),
        cmocka_unit_test(loading_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
