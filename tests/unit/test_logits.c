/* ldam, cb-focal, equalization, class weights and smoothed labels: PyTorch's fp64 values for any shares and parts
 * of the global batch, slopes of every variant, and the edges. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "elmpi/memory.h"
#include "elmpi/partition.h"
#include "golden/logit_golden.h"
#include "unit/loss_fixture.h"
#include "unit/slopes.h"

enum { AUTO, NONE, BALANCED, DRW };
enum { UNIFORM = 1, LABEL_AWARE }; /* loss.smoothing */

static elm_loss_options options_for(const weighted_golden *g)
{
    elm_loss_options o = options_of(g->name, "none");
    o.weights = (int)g->weights;
    o.weights_beta = g->beta;
    o.weights_epoch = g->begin;
    o.ldam_margin = g->margin;
    o.ldam_scale = g->scale;
    o.cb_focal_variant = o.equalization_variant = (int)g->variant;
    o.cb_focal_gamma = o.equalization_gamma = g->gamma;
    o.equalization_lambda = g->rare;
    o.smoothing = (int)g->smoothing;
    o.smoothing_share = g->share;
    o.smoothing_head = g->head;
    o.smoothing_tail = g->tail;
    return o;
}

static elm_loss_time moment_of(const weighted_golden *g)
{
    return (elm_loss_time){.seed = (uint64_t)g->seed,
                           .epoch = g->epoch,
                           .position = g->position,
                           .passed = g->passed,
                           .length = 200};
}

/* Images [from, from + count) of the golden batch at work on `ranks` ranks. */
static double evaluate_part(const weighted_golden *g, const float *logits, int from, int count,
                            int ranks, float *gradient)
{
    const elm_loss_options o = options_for(g);
    double loss = 0;
    for (int rank = 0; rank < ranks; rank++) {
        const elm_partition share = elm_partition_of(count, ranks, rank);
        const int first = from + (int)share.first;
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, share.local, 0);
        f.batch.images = count;
        f.batch.first = (int)share.first;
        f.batch.global_labels = golden_labels;
        f.batch.labels = golden_labels + first;
        f.batch.partner_labels = g->own < 1 ? golden_partners + first : NULL;
        f.batch.own_share = g->own;
        f.batch.logits = logits + (size_t)first * GOLDEN_CLASSES;
        f.batch.moment = moment_of(g);
        f.batch.moment.position += from;
        loss += elm_loss_logits(f.loss, &f.batch).loss;
        memcpy(gradient + (size_t)first * GOLDEN_CLASSES, f.logits_gradient,
               sizeof(float) * (size_t)share.local * GOLDEN_CLASSES);
        release(&f);
    }
    return loss;
}

static void check_case(int which, int part, int ranks)
{
    const weighted_golden *g = &golden_weighted_cases[which];
    float logits[GOLDEN_BATCH * GOLDEN_CLASSES], gradient[GOLDEN_BATCH * GOLDEN_CLASSES];
    for (int i = 0; i < LENGTH(logits); i++)
        logits[i] = golden_logits[i] * (float)g->factor;
    double loss = 0;
    for (int from = 0; from < GOLDEN_BATCH; from += part)
        loss +=
            evaluate_part(g, logits, from, from + part < GOLDEN_BATCH ? part : GOLDEN_BATCH - from,
                          ranks, gradient);
    if (!(fabs(loss - g->loss) <= 1e-6 * fabs(g->loss)))
        fail_msg("%s (case %d), parts of %d on %d ranks: loss %.12g, PyTorch has %.12g", g->name,
                 which, part, ranks, loss, g->loss);
    const double most = largest(g->gradient, LENGTH(g->gradient));
    for (int i = 0; i < LENGTH(g->gradient); i++)
        if (!(fabs((double)gradient[i] - g->gradient[i]) <= 1e-5 * most))
            fail_msg("%s (case %d), parts of %d on %d ranks, gradient %d: %.9g, PyTorch has %.9g",
                     g->name, which, part, ranks, i, (double)gradient[i], g->gradient[i]);
}

static void losses_are_pytorchs_in_any_shares(void **state)
{
    (void)state;
    static const int ranks[] = {1, 2, 3, 4, GOLDEN_BATCH + 3}; /* the last with empty shares */
    static const int parts[] = {GOLDEN_BATCH, 5};              /* optim.accumulate */
    for (int c = 0; c < LENGTH(golden_weighted_cases); c++)
        for (int r = 0; r < LENGTH(ranks); r++)
            for (int p = 0; p < LENGTH(parts); p++)
                check_case(c, parts[p], ranks[r]);
}

/* The golden cases' variants, at logits that finite differences can step from. */
static void gradients_are_slopes(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(golden_weighted_cases); c++) {
        weighted_golden g = golden_weighted_cases[c];
        g.scale /= 30; /* fourth derivatives grow with s^4 */
        const elm_loss_options o = options_for(&g);
        float logits[GOLDEN_BATCH * GOLDEN_CLASSES];
        fill_coarse(logits, LENGTH(logits), 2, 3);
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
        f.batch.labels = f.batch.global_labels = golden_labels;
        f.batch.partner_labels = g.own < 1 ? golden_partners : NULL;
        f.batch.own_share = g.own;
        f.batch.logits = logits;
        f.batch.moment = moment_of(&g);
        check_slopes(g.name, f.loss, &f.batch, elm_loss_logits, logits, f.logits_gradient,
                     LENGTH(logits));
        release(&f);
    }
}

/* Two classes with weights 3 to 1: the other share's labels decide what this share's images
 * count, though it sees none of them. */
static void weights_are_divided_by_the_global_sum(void **state)
{
    (void)state;
    static const int64_t counts[] = {1, 3};
    static const int32_t one[] = {0, 1}, other[] = {0, 0};
    static const float logits[] = {0, 0};
    elm_loss_options o = options_of("ce", "none");
    o.weights = BALANCED;
    o.weights_beta = 1;
    for (int i = 0; i < 2; i++) {
        fixture f = make(&o, (elm_class_counts){2, counts, 4}, 1, 2, 1, 0);
        f.batch.labels = one;
        f.batch.global_labels = i ? other : one;
        f.batch.logits = logits;
        assert_float_equal(elm_loss_logits(f.loss, &f.batch).loss, log(2) * (i ? 1.5 / 3 : 1.5 / 2),
                           1e-12);
        release(&f);
    }
}

/* drw needs no labels of the batch before its switch, and the step that begins at the switch has
 * its weights. */
static void drw_begins_with_its_epoch(void **state)
{
    (void)state;
    elm_loss_options o = options_of("ce", "none"), plain = o, balanced = o;
    o.weights = DRW;
    o.weights_epoch = 3.0;
    balanced.weights = BALANCED;
    /* 3 as a quotient may fall short of 3 */
    static const double moments[] = {0, 2.999, 3 - 1e-12, 3, 150};
    for (int i = 0; i < LENGTH(moments); i++) {
        const elm_loss_options *all[] = {&o, i < 2 ? &plain : &balanced};
        double loss[2];
        for (int k = 0; k < 2; k++) {
            fixture f =
                make(all[k], golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
            f.batch.labels = golden_labels;
            f.batch.global_labels = i < 2 ? NULL : golden_labels;
            f.batch.logits = golden_logits;
            f.batch.moment.passed = moments[i];
            loss[k] = elm_loss_logits(f.loss, &f.batch).loss;
            release(&f);
        }
        assert_true(loss[0] == loss[1]);
    }
}

static void draws_depend_on_their_moment(void **state)
{
    (void)state;
    elm_loss_options o = options_of("equalization", "none");
    o.equalization_gamma = 0.5;
    o.equalization_lambda = 0.5;
    double loss[4];
    for (int i = 0; i < 4; i++) {
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
        f.batch.labels = golden_labels;
        f.batch.logits = golden_logits;
        f.batch.moment =
            (elm_loss_time){.seed = i == 1, .epoch = i == 2, .position = i == 3 ? GOLDEN_BATCH : 0};
        loss[i] = elm_loss_logits(f.loss, &f.batch).loss;
        assert_true(elm_loss_logits(f.loss, &f.batch).loss == loss[i]); /* no state behind it */
        release(&f);
    }
    assert_true(loss[0] != loss[1] && loss[0] != loss[2] && loss[0] != loss[3]);
}

static const struct {
    const char *name;
    int variant, weights, smoothing;
} kinds[] = {
    {"ldam", 0, DRW, 0},        {"cb-focal", 0, AUTO, 0},         {"cb-focal", 1, AUTO, 0},
    {"cb-focal", 2, AUTO, 0},   {"equalization", 0, AUTO, 0},     {"equalization", 1, AUTO, 0},
    {"logadj", 0, BALANCED, 0}, {"logadj", 0, BALANCED, UNIFORM}, {"ldam", 0, DRW, LABEL_AWARE}};

static elm_loss_options options_of_kind(int kind)
{
    elm_loss_options o = options_of(kinds[kind].name, "none");
    o.cb_focal_variant = o.equalization_variant = kinds[kind].variant;
    o.weights = kinds[kind].weights;
    o.smoothing = kinds[kind].smoothing;
    o.weights_epoch = 0;
    o.cb_focal_gamma = 0.5; /* powers below 1 have slopes without bound */
    o.equalization_lambda = 1;
    return o;
}

/* Logits that overflow any exp, on either side of the label. */
static void huge_logits_stay_finite(void **state)
{
    (void)state;
    static const int32_t labels[] = {0, 2, 1};
    static const int64_t counts[] = {300, 40, 5};
    static const float logits[] = {1e30F, -1e30F, 0, 1e30F, 0, -1e30F, -1e30F, 1e30F, -1e30F};
    for (int k = 0; k < LENGTH(kinds); k++) {
        const elm_loss_options o = options_of_kind(k);
        fixture f = make(&o, (elm_class_counts){3, counts, 345}, 1, 3, 3, 0);
        f.batch.labels = f.batch.global_labels = labels;
        f.batch.logits = logits;
        const double loss = elm_loss_logits(f.loss, &f.batch).loss;
        if (!isfinite(loss) || loss < 0)
            fail_msg("%s (%d): loss %g", kinds[k].name, kinds[k].variant, loss);
        for (int i = 0; i < LENGTH(logits); i++)
            if (!isfinite(f.logits_gradient[i]))
                fail_msg("%s (%d): gradient %d is %g", kinds[k].name, kinds[k].variant, i,
                         (double)f.logits_gradient[i]);
        release(&f);
    }
}

/* One image is a batch; one class may be all there is in it, and all there is; a class may be
 * absent from the batch and from training. */
static void few_images_and_classes(void **state)
{
    (void)state;
    static const int32_t labels[] = {0, 0, 0, 0};
    static const int64_t counts[] = {300, 0, 5};
    static const float logits[] = {1, -2, 0.5F, 0, 0, 0, -1, 3, 1, 2, 2, 2};
    for (int k = 0; k < LENGTH(kinds); k++)
        for (int images = 1; images <= 4; images += 3)
            for (int classes = 1; classes <= 3; classes += 2) {
                if (!strcmp(kinds[k].name, "logadj") && classes > 1)
                    continue; /* refuses classes without training images */
                const elm_loss_options o = options_of_kind(k);
                fixture f = make(&o, (elm_class_counts){classes, counts, classes == 1 ? 300 : 305},
                                 1, images, images, 0);
                f.batch.labels = f.batch.global_labels = labels;
                f.batch.logits = logits;
                const double loss = elm_loss_logits(f.loss, &f.batch).loss;
                if (!isfinite(loss) || loss < 0)
                    fail_msg("%s (%d), %d images of %d classes: loss %g", kinds[k].name,
                             kinds[k].variant, images, classes, loss);
                for (int i = 0; i < images * classes; i++)
                    assert_true(isfinite(f.logits_gradient[i]));
                release(&f);
            }
}

static void not_a_number_stays_one(void **state)
{
    (void)state;
    static const int64_t counts[] = {3, 4};
    static const int32_t label = 0;
    static const float logits[] = {NAN, 1};
    for (int k = 0; k < LENGTH(kinds); k++) {
        const elm_loss_options o = options_of_kind(k);
        fixture f = make(&o, (elm_class_counts){2, counts, 7}, 1, 1, 1, 0);
        f.batch.labels = f.batch.global_labels = &label;
        f.batch.logits = logits;
        assert_true(isnan(elm_loss_logits(f.loss, &f.batch).loss));
        release(&f);
    }
}

/* What is right already has no loss and no slope, also where (1 - p)^(gamma - 1) has no bound. */
static void certainty_has_no_slope(void **state)
{
    (void)state;
    static const int64_t counts[] = {3, 4};
    static const int32_t label = 0;
    static const float logits[] = {1000, -1000};
    for (int variant = 0; variant < 3; variant++) {
        elm_loss_options o = options_of("cb-focal", "none");
        o.cb_focal_variant = variant;
        o.cb_focal_gamma = 0.5;
        fixture f = make(&o, (elm_class_counts){2, counts, 7}, 1, 1, 1, 0);
        f.batch.labels = f.batch.global_labels = &label;
        f.batch.logits = logits;
        assert_true(elm_loss_logits(f.loss, &f.batch).loss == 0);
        assert_true(f.logits_gradient[0] == 0 && f.logits_gradient[1] == 0);
        release(&f);
    }
}

/* Every class is as frequent as every other: all are head classes. A share of 0 leaves plain
 * labels. */
static void smoothing_at_its_edges(void **state)
{
    (void)state;
    static const int64_t counts[] = {7, 7};
    static const int32_t label = 0;
    static const float logits[] = {2, -1};
    const double plain = log(1 + exp(-3)), other = 3 + plain;
    for (int i = 0; i < 3; i++) {
        elm_loss_options o = options_of("ce", "none");
        o.smoothing = i == 2 ? UNIFORM : LABEL_AWARE;
        o.smoothing_share = 0;
        o.smoothing_head = i ? 0 : 0.5;
        o.smoothing_tail = 1;
        fixture f = make(&o, (elm_class_counts){2, counts, 14}, 1, 1, 1, 0);
        f.batch.labels = f.batch.global_labels = &label;
        f.batch.logits = logits;
        assert_float_equal(elm_loss_logits(f.loss, &f.batch).loss,
                           i ? plain : 0.75 * plain + 0.25 * other, 1e-12);
        release(&f);
    }
}

static void losses_without_smoothing_refuse_it(void **state)
{
    (void)state;
    static const struct {
        const char *name, *reason;
    } rows[] = {{"ce", NULL},
                {"logadj", NULL},
                {"ldam", NULL},
                {"cb-focal", "one right class"},
                {"equalization", "may leave out"}};
    for (int i = 0; i < LENGTH(rows); i++) {
        elm_loss_options o = options_of(rows[i].name, "none");
        elm_error err = {0};
        assert_int_equal(elm_loss_check(&o, &err), 0);
        o.smoothing = UNIFORM;
        assert_int_equal(elm_loss_check(&o, &err), rows[i].reason ? -1 : 0);
        if (!rows[i].reason)
            continue;
        elm_loss *loss = NULL;
        assert_int_equal(err.code, ELM_EXIT_USAGE);
        assert_non_null(strstr(err.text, rows[i].reason));
        assert_non_null(strstr(err.text, "(ce, logadj, ldam)"));
        assert_int_equal(elm_loss_create(&loss, &o, golden_class_counts(), 1, 1, 1, &err), -1);
        assert_null(loss);
    }
}

static void losses_say_what_head_they_want(void **state)
{
    (void)state;
    elm_loss_options o = options_of("ldam", "none");
    assert_true(elm_loss_head_of(&o, 100).cosine && !elm_loss_head_of(&o, 100).bias_is_set);
    o = options_of("cb-focal", "none");
    const elm_loss_head head = elm_loss_head_of(&o, 100);
    assert_true(!head.cosine && head.bias_is_set);
    assert_float_equal(head.bias, -log(99), 1e-12);
    assert_false(elm_loss_head_of(&o, 1).bias_is_set); /* log 0 */
    o.cb_focal_variant = 1;
    assert_false(elm_loss_head_of(&o, 100).bias_is_set);
    o = options_of("ce", "none");
    assert_false(elm_loss_head_of(&o, 100).cosine);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    const int before = omp_get_max_threads();
    for (int k = 0; k < LENGTH(kinds); k++) {
        const elm_loss_options o = options_of_kind(k);
        double loss[2] = {0};
        float gradient[2][GOLDEN_BATCH * GOLDEN_CLASSES];
        for (int threads = 1; threads <= 4; threads++) {
            omp_set_num_threads(threads);
            fixture f =
                make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
            f.batch.labels = f.batch.global_labels = golden_labels;
            f.batch.logits = golden_logits;
            const int to = threads > 1;
            loss[to] = elm_loss_logits(f.loss, &f.batch).loss;
            memcpy(gradient[to], f.logits_gradient, sizeof gradient[to]);
            if (to) {
                assert_true(loss[0] == loss[1]);
                assert_memory_equal(gradient[0], gradient[1], sizeof gradient[0]);
            }
            release(&f);
        }
    }
    omp_set_num_threads(before);
}

static void evaluating_allocates_nothing(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    for (int k = 0; k < LENGTH(kinds); k++) {
        const elm_loss_options o = options_of_kind(k);
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
        f.batch.labels = f.batch.global_labels = golden_labels;
        f.batch.logits = golden_logits;
        const int64_t calls = elm_alloc_calls();
        elm_loss_logits(f.loss, &f.batch);
        assert_int_equal(elm_alloc_calls(), calls);
        /* a resumed run needs nothing of theirs */
        assert_int_equal(elm_loss_tensors(f.loss, NULL, 0), 0);
        release(&f);
    }
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losses_are_pytorchs_in_any_shares),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(weights_are_divided_by_the_global_sum),
        cmocka_unit_test(drw_begins_with_its_epoch),
        cmocka_unit_test(draws_depend_on_their_moment),
        cmocka_unit_test(huge_logits_stay_finite),
        cmocka_unit_test(few_images_and_classes),
        cmocka_unit_test(not_a_number_stays_one),
        cmocka_unit_test(certainty_has_no_slope),
        cmocka_unit_test(smoothing_at_its_edges),
        cmocka_unit_test(losses_without_smoothing_refuse_it),
        cmocka_unit_test(losses_say_what_head_they_want),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(evaluating_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
