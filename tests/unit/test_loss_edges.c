/* Losses at their edges: lone and identical images, empty ranks, distances beyond any
 * exponential, names and counts that cannot be. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/long_tail.h"
#include "elmpi/memory.h"
#include "unit/loss_fixture.h"

static void lone_images_pull_nobody(void **state)
{
    (void)state;
    const elm_loss_options o = options_of("ce", "pull");
    static const int32_t labels[] = {4, 1, 0, 5}, remote_labels[] = {2, 2, 3};
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, 7, 4, 3);
    f.batch.labels = labels;
    /* classes that we do not hold: ELM_GATHER_ALL brings such rows */
    f.batch.remote_labels = remote_labels;
    f.batch.embeddings = golden_embeddings;
    f.batch.remote_embeddings = golden_embeddings + 4 * GOLDEN_WIDTH;
    const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
    assert_true(value.loss == 0);
    for (int i = 0; i < 4 * GOLDEN_WIDTH; i++)
        assert_true(f.embeddings_gradient[i] == 0);
    static const int64_t anchors[] = {2, 0, 2};
    assert_memory_equal(value.anchors, anchors, sizeof anchors);
    assert_int_equal(value.with_positive[0] + value.with_positive[1] + value.with_positive[2], 0);
    release(&f);
}

static void anchors_are_counted_by_group(void **state)
{
    (void)state;
    const elm_loss_options o = options_of("ce", "pull");
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
    f.batch.labels = golden_labels;
    f.batch.embeddings = golden_embeddings;
    const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
    /* class 5 stands alone */
    static const int64_t anchors[] = {8, 2, 3}, with_positive[] = {8, 2, 2};
    assert_memory_equal(value.anchors, anchors, sizeof anchors);
    assert_memory_equal(value.with_positive, with_positive, sizeof with_positive);
    release(&f);
    assert_int_equal(elm_class_group(100), 0);
    assert_int_equal(elm_class_group(99), 1);
    assert_int_equal(elm_class_group(20), 1);
    assert_int_equal(elm_class_group(19), 2);
}

static void one_image_is_a_batch(void **state)
{
    (void)state;
    const elm_loss_options o = options_of("logadj", "pull");
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, 1, 1, 0);
    f.batch.labels = golden_labels;
    f.batch.embeddings = golden_embeddings;
    f.batch.logits = golden_logits;
    assert_true(elm_loss_embeddings(f.loss, &f.batch).loss == 0);
    const double loss = elm_loss_logits(f.loss, &f.batch).loss;
    assert_true(loss > 0 && isfinite(loss));
    double sum = 0;
    for (int c = 0; c < GOLDEN_CLASSES; c++)
        sum += (double)f.logits_gradient[c];
    assert_float_equal(sum, 0, 1e-6);
    release(&f);
}

/* Identical embeddings: log(1 + (m - 1) e^-alpha), and nothing to pull. */
static void identical_embeddings(void **state)
{
    (void)state;
    enum { MEMBERS = 6, WIDTH = 3 };
    float embeddings[MEMBERS * WIDTH];
    for (int i = 0; i < LENGTH(embeddings); i++)
        embeddings[i] = 1000.125F + (float)(i % WIDTH);
    const elm_loss_options o = options_of("ce", "pull");
    fixture f = make_one_class(&o, embeddings, WIDTH, 4, 2);
    const double loss = elm_loss_embeddings(f.loss, &f.batch).loss;
    assert_float_equal(loss, 4.0 / MEMBERS * log1p((MEMBERS - 1) * exp(-sqrt(0.5))), 1e-12);
    for (int i = 0; i < 4 * WIDTH; i++)
        assert_true(f.embeddings_gradient[i] == 0);
    release(&f);
}

/* Far beyond what exp can take, also in double: the largest distance is the loss and its p is 1. */
static void distances_beyond_any_exponential(void **state)
{
    (void)state;
    static const float embeddings[] = {0, 1e15F, 1e15F, 0}; /* d = 1e30, 1e30, 0 and so on */
    const elm_loss_options o = options_of("ce", "pull");
    fixture f = make_one_class(&o, embeddings, 1, 2, 0);
    const double loss = elm_loss_embeddings(f.loss, &f.batch).loss,
                 d = (double)1e15F * (double)1e15F;
    assert_float_equal(loss / d, 1, 1e-12);
    /* 2 / B (p_01 + p_10) (0 - 1e15), B = 2 */
    assert_float_equal(f.embeddings_gradient[0] / -2e15F, 1, 1e-6);
    assert_float_equal(f.embeddings_gradient[1] / 2e15F, 1, 1e-6);
    release(&f);
    /* Two equally far positives share p: 2 / B (1/2 + 1/2 + 1 + 1) for the anchor between them. */
    static const float three[] = {0, 1e10F, -1e10F};
    fixture t = make_one_class(&o, three, 1, 3, 0);
    assert_true(isfinite(elm_loss_embeddings(t.loss, &t.batch).loss));
    assert_float_equal(t.embeddings_gradient[0], 0, 1e4);
    assert_float_equal(t.embeddings_gradient[1] / 1e10F, 2.0 / 3 * (0.5 * 1 + 0 + 2 * 2), 1e-5);
    release(&t);
}

static void vectors_of_length_zero_have_no_direction(void **state)
{
    (void)state;
    static const float embeddings[] = {0, 0, 3, 4, 0, 0};
    elm_loss_options o = options_of("ce", "pull");
    o.pull_normalize = true;
    fixture f = make_one_class(&o, embeddings, 2, 3, 0);
    const double loss = elm_loss_embeddings(f.loss, &f.batch).loss, a = sqrt(0.5);
    const double zero = log(1 + exp(1 - a) + exp(-a)), unit = log(1 + 2 * exp(1 - a));
    assert_float_equal(loss, (2 * zero + unit) / 3, 1e-6);
    for (int i = 0; i < 6; i++)
        /* along the vector there is nothing to gain */
        assert_float_equal(f.embeddings_gradient[i], 0, 1e-7);
    release(&f);
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    const float embeddings[] = {0, NAN, 1}, logits[] = {1, NAN};
    const elm_loss_options o = options_of("ce", "pull");
    fixture f = make_one_class(&o, embeddings, 1, 3, 0);
    assert_true(isnan(elm_loss_embeddings(f.loss, &f.batch).loss));
    release(&f);
    static const int64_t counts[] = {3, 4};
    static const int32_t label = 0;
    fixture g = make(&o, (elm_class_counts){2, counts, 7}, 1, 1, 1, 0);
    g.batch.labels = &label;
    g.batch.logits = logits;
    assert_true(isnan(elm_loss_logits(g.loss, &g.batch).loss));
    release(&g);
}

static void huge_logits_stay_finite(void **state)
{
    (void)state;
    static const int64_t counts[] = {3, 4, 5};
    static const int32_t labels[] = {0, 2};
    static const float logits[] = {1e30F, -1e30F, 0, 1e30F, 0, -1e30F};
    const elm_loss_options o = options_of("logadj", "none");
    fixture f = make(&o, (elm_class_counts){3, counts, 12}, 1, 2, 2, 0);
    f.batch.labels = labels;
    f.batch.logits = logits;
    assert_float_equal(elm_loss_logits(f.loss, &f.batch).loss / 1e30, 1, 1e-6); /* (0 + 2e30) / 2 */
    static const float expected[] = {0, 0, 0, 0.5F, 0, -0.5F};
    for (int i = 0; i < 6; i++)
        assert_float_equal(f.logits_gradient[i], expected[i], 1e-6);
    release(&f);
}

static void weight_zero_wants_nothing(void **state)
{
    (void)state;
    elm_loss_options o = options_of("ce", "pull");
    o.lambda = 0;
    static const float embeddings[] = {0, 1e30F};
    fixture f = make_one_class(&o, embeddings, 1, 2, 0);
    assert_int_equal(elm_loss_needs_of(f.loss).reach, ELM_LOSS_LOCAL);
    assert_true(elm_loss_embeddings(f.loss, &f.batch).loss == 0);
    assert_true(f.embeddings_gradient[0] == 0 && f.embeddings_gradient[1] == 0);
    release(&f);
}

static void scope_rank_sees_only_its_own(void **state)
{
    (void)state;
    static const float embeddings[] = {0, 1, 5, 7};
    elm_loss_options o = options_of("ce", "pull");
    o.scope = 1;
    fixture f = make_one_class(&o, embeddings, 1, 2, 2);
    assert_int_equal(elm_loss_needs_of(f.loss).reach, ELM_LOSS_LOCAL);
    const double loss = elm_loss_embeddings(f.loss, &f.batch).loss;
    /* B stays the global batch */
    assert_float_equal(loss, 2.0 / 4 * log1p(exp(1 - sqrt(0.5))), 1e-12);
    release(&f);
}

static void a_rank_without_images(void **state)
{
    (void)state;
    const elm_loss_options o = options_of("logadj", "pull");
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, 0, GOLDEN_BATCH);
    f.batch.remote_labels = golden_labels;
    f.batch.remote_embeddings = golden_embeddings;
    const elm_loss_value none = {0}, logit = elm_loss_logits(f.loss, &f.batch),
                         embed = elm_loss_embeddings(f.loss, &f.batch);
    assert_memory_equal(&logit, &none, sizeof none);
    assert_memory_equal(&embed, &none, sizeof none);
    release(&f);
}

static void refused(const elm_loss_options *o, elm_class_counts counts, const char *says)
{
    elm_loss *loss = NULL;
    elm_error err = {0};
    const int64_t live = elm_alloc_live();
    assert_int_equal(elm_loss_create(&loss, o, counts, 2, 4, 8, &err), -1);
    assert_null(loss);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    if (!strstr(err.text, says))
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    assert_int_equal(elm_alloc_live(), live);
}

static void impossible_losses_are_refused(void **state)
{
    (void)state;
    static const int64_t counts[] = {10, 0, 4};
    const elm_class_counts unreadable = {3, counts, 14};
    elm_loss_options o = options_of("logajd", "none");
    refused(&o, golden_class_counts(), "did you mean logadj?");
    refused(&o, golden_class_counts(), "ce, logadj");
    o = options_of("ce", "pul");
    refused(&o, golden_class_counts(), "did you mean pull?");
    o.lambda = 0;
    refused(&o, golden_class_counts(), "pull");
    o = options_of("logadj", "none");
    refused(&o, unreadable, "class 1 has no training image");
    o = options_of("ce", "pull");
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "sqrt-p");
    refused(&o, golden_class_counts(), "sqrt-pi");
}

/* tau 0 is plain cross-entropy, and an absent class has a margin that nobody needs. */
static void absent_classes_may_do_no_harm(void **state)
{
    (void)state;
    static const int64_t counts[] = {10, 0, 4};
    static const int32_t labels[] = {0, 0};
    static const float logits[] = {1, 2, 3, 3, 2, 1}, embeddings[] = {0, 1};
    elm_loss_options o = options_of("logadj", "pull");
    o.logadj_tau = 0;
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "n^-2");
    fixture f = make(&o, (elm_class_counts){3, counts, 14}, 1, 2, 2, 0);
    f.batch.labels = labels;
    f.batch.logits = logits;
    f.batch.embeddings = embeddings;
    assert_true(isfinite(elm_loss_logits(f.loss, &f.batch).loss));
    assert_float_equal(elm_loss_embeddings(f.loss, &f.batch).loss, log1p(exp(1 - 0.01)), 1e-12);
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lone_images_pull_nobody),
        cmocka_unit_test(anchors_are_counted_by_group),
        cmocka_unit_test(one_image_is_a_batch),
        cmocka_unit_test(identical_embeddings),
        cmocka_unit_test(distances_beyond_any_exponential),
        cmocka_unit_test(vectors_of_length_zero_have_no_direction),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(huge_logits_stay_finite),
        cmocka_unit_test(weight_zero_wants_nothing),
        cmocka_unit_test(scope_rank_sees_only_its_own),
        cmocka_unit_test(a_rank_without_images),
        cmocka_unit_test(impossible_losses_are_refused),
        cmocka_unit_test(absent_classes_may_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
