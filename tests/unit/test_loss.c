/* Losses against PyTorch's fp64 values, whole and cut into shares, and against finite
 * differences; equal bits for any number of threads. */
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
#include "golden/pseudo.h"
#include "unit/loss_fixture.h"
#include "unit/loss_settings.h"
#include "unit/slopes.h"

static void compare(const char *what, int which, const float *gradient, const double *expected,
                    int count, double scale)
{
    for (int i = 0; i < count; i++)
        if (!(fabs(gradient[i] - expected[i]) <= 1e-5 * scale))
            fail_msg("%s (case %d), gradient %d: %.9g, PyTorch has %.9g", what, which, i,
                     gradient[i], expected[i]);
}

static void compare_loss(const char *what, int which, double loss, double expected)
{
    if (!(fabs(loss - expected) <= 1e-6 * fabs(expected)))
        fail_msg("%s (case %d): loss %.12g, PyTorch has %.12g", what, which, loss, expected);
}

static void logit_losses_are_pytorchs(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(golden_logit_cases); c++) {
        const logit_golden *g = &golden_logit_cases[c];
        elm_loss_options o = options_of(g->name, "none");
        o.logadj_tau = g->tau;
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
        f.batch.labels = golden_labels;
        f.batch.logits = golden_logits;
        compare_loss(g->name, c, elm_loss_logits(f.loss, &f.batch).loss, g->loss);
        const int count = GOLDEN_BATCH * GOLDEN_CLASSES;
        compare(g->name, c, f.logits_gradient, g->gradient, count, largest(g->gradient, count));
        release(&f);
    }
}

static elm_loss_options pull_options(const pull_golden *g)
{
    elm_loss_options o = options_of("ce", "pull");
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "%s", g->alpha);
    o.pull_scale = g->scale;
    o.lambda = g->lambda;
    o.pull_normalize = g->normalize;
    return o;
}

/* The golden batch as `parts` ranks would see it: their own share, the others' rows as remote.
 * Losses add up, gradients stand side by side. */
static void pull_in_shares(const pull_golden *g, int which, int parts)
{
    const elm_loss_options o = pull_options(g);
    const double most = largest(g->gradient, GOLDEN_BATCH * GOLDEN_WIDTH);
    float embeddings[GOLDEN_BATCH * GOLDEN_WIDTH];
    double loss = 0;
    for (int i = 0; i < LENGTH(embeddings); i++)
        embeddings[i] = golden_embeddings[i] * g->factor;
    for (int part = 0; part < parts; part++) {
        const elm_partition share = elm_partition_of(GOLDEN_BATCH, parts, part);
        float others[GOLDEN_BATCH * GOLDEN_WIDTH];
        int32_t labels[GOLDEN_BATCH];
        int remote = 0;
        for (int i = 0; i < GOLDEN_BATCH; i++)
            if (i < share.first || i >= share.first + share.local) {
                memcpy(others + (size_t)remote * GOLDEN_WIDTH,
                       embeddings + (size_t)i * GOLDEN_WIDTH, GOLDEN_WIDTH * sizeof *others);
                labels[remote++] = golden_labels[i];
            }
        fixture f =
            make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, share.local, remote);
        f.batch.labels = golden_labels + share.first;
        f.batch.embeddings = embeddings + share.first * GOLDEN_WIDTH;
        f.batch.remote_labels = labels;
        f.batch.remote_embeddings = others;
        assert_int_equal(elm_loss_needs_of(f.loss).reach, ELM_LOSS_SAME_CLASS);
        loss += elm_loss_embeddings(f.loss, &f.batch).loss;
        compare(g->alpha, which, f.embeddings_gradient, g->gradient + share.first * GOLDEN_WIDTH,
                share.local * GOLDEN_WIDTH, most);
        release(&f);
    }
    compare_loss(g->alpha, which, loss, g->loss);
}

static void pull_is_pytorchs_in_any_shares(void **state)
{
    (void)state;
    /* the last with empty shares */
    static const int parts[] = {1, 2, 3, 5, GOLDEN_BATCH, GOLDEN_BATCH + 3};
    for (int c = 0; c < LENGTH(golden_pull_cases); c++)
        for (int p = 0; p < LENGTH(parts); p++)
            pull_in_shares(&golden_pull_cases[c], c, parts[p]);
}

static void check_logit_slopes(const char *what, const elm_loss_options *options)
{
    float embeddings[GOLDEN_BATCH * GOLDEN_WIDTH], logits[GOLDEN_BATCH * GOLDEN_CLASSES];
    if (strcmp(options->embed, "none") != 0 || elm_loss_check(options, NULL))
        return; /* the latter: what this loss has no definition for */
    fill_coarse(embeddings, LENGTH(embeddings), 1, 1);
    fill_coarse(logits, LENGTH(logits), 2, 3);
    fixture f = make(options, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
    f.batch.labels = f.batch.global_labels = golden_labels;
    f.batch.embeddings = embeddings;
    f.batch.logits = logits;
    f.batch.moment.passed = 170; /* beyond drw's first epoch */
    check_slopes(what, f.loss, &f.batch, elm_loss_logits, logits, f.logits_gradient,
                 LENGTH(logits));
    release(&f);
}

/* All logit losses and each of their options: one that joins the tables is tested here without a
 * line more. Embedding terms: see test_loss_options.c. */
static void gradients_are_slopes(void **state)
{
    (void)state;
    float embeddings[GOLDEN_BATCH * GOLDEN_WIDTH];
    fill_coarse(embeddings, LENGTH(embeddings), 1, 1);
    each_loss_setting(check_logit_slopes);
    for (int normalize = 0; normalize < 2; normalize++) {
        elm_loss_options o = options_of("ce", "pull");
        o.pull_normalize = normalize;
        fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
        f.batch.labels = golden_labels;
        f.batch.embeddings = embeddings;
        check_slopes("pull", f.loss, &f.batch, elm_loss_embeddings, embeddings,
                     f.embeddings_gradient, LENGTH(embeddings));
        release(&f);
    }
}

static void gradients_are_added(void **state)
{
    (void)state;
    const elm_loss_options o = options_of("ce", "pull");
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
    f.batch.labels = golden_labels;
    f.batch.embeddings = golden_embeddings;
    f.batch.logits = golden_logits;
    for (int twice = 0; twice < 2; twice++) {
        elm_loss_logits(f.loss, &f.batch);
        elm_loss_embeddings(f.loss, &f.batch);
    }
    const pull_golden *g = &golden_pull_cases[3]; /* sqrt-pi, lambda 1 */
    for (int i = 0; i < LENGTH(g->gradient); i++)
        assert_float_equal(f.embeddings_gradient[i], 2 * g->gradient[i], 1e-4);
    for (int i = 0; i < LENGTH(golden_logit_cases[0].gradient); i++)
        assert_float_equal(f.logits_gradient[i], 2 * golden_logit_cases[0].gradient[i], 1e-6);
    release(&f);
}

enum { MANY = 200, MANY_WIDTH = 67 }; /* odd sizes: every vector loop has a remainder */

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static float embeddings[MANY * MANY_WIDTH], logits[MANY * GOLDEN_CLASSES],
        gradients[2][MANY * (MANY_WIDTH + GOLDEN_CLASSES)];
    static int32_t labels[MANY];
    pseudo_fill(embeddings, LENGTH(embeddings), 3, 0.2F, 0);
    pseudo_fill(logits, LENGTH(logits), 4, 3, 0);
    for (int i = 0; i < MANY; i++)
        labels[i] = (int32_t)(fabsf(pseudo(5, (uint32_t)i)) * fabsf(pseudo(6, (uint32_t)i)) *
                              GOLDEN_CLASSES);
    const int before = omp_get_max_threads();
    elm_loss_options o = options_of("logadj", "pull");
    for (int normalize = 0; normalize < 2; normalize++) {
        double losses[2] = {0};
        o.pull_normalize = normalize;
        for (int threads = 1; threads <= 5; threads++) {
            omp_set_num_threads(threads);
            fixture f = make(&o, golden_class_counts(), MANY_WIDTH, MANY, MANY - 60, 60);
            f.batch.labels = labels;
            f.batch.logits = logits;
            f.batch.embeddings = embeddings;
            f.batch.remote_labels = labels + MANY - 60;
            f.batch.remote_embeddings = embeddings + (size_t)(MANY - 60) * MANY_WIDTH;
            const int to = threads > 1;
            losses[to] =
                elm_loss_logits(f.loss, &f.batch).loss + elm_loss_embeddings(f.loss, &f.batch).loss;
            memcpy(gradients[to], f.embeddings_gradient, sizeof(float) * (MANY - 60) * MANY_WIDTH);
            memcpy(gradients[to] + (MANY - 60) * MANY_WIDTH, f.logits_gradient,
                   sizeof(float) * (MANY - 60) * GOLDEN_CLASSES);
            if (to) {
                assert_true(losses[0] == losses[1]);
                assert_memory_equal(gradients[0], gradients[1], sizeof gradients[0]);
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
    elm_loss_options o = options_of("logadj", "pull");
    o.pull_normalize = true;
    fixture f = make(&o, golden_class_counts(), GOLDEN_WIDTH, GOLDEN_BATCH, GOLDEN_BATCH, 0);
    f.batch.labels = golden_labels;
    f.batch.embeddings = golden_embeddings;
    f.batch.logits = golden_logits;
    const int64_t calls = elm_alloc_calls();
    elm_loss_logits(f.loss, &f.batch);
    elm_loss_embeddings(f.loss, &f.batch);
    assert_int_equal(elm_alloc_calls(), calls);
    assert_int_equal(elm_loss_tensors(f.loss, NULL, 0), 0); /* neither learns anything of its own */
    release(&f);
    elm_loss_destroy(NULL);
    assert_int_equal(elm_alloc_live(), live);
}

static const elm_option *row(const char *key)
{
    for (const elm_option *o = elm_loss_option_rows; o->key; o++)
        if (strcmp(o->key, key) == 0)
            return o;
    fail_msg("no option %s", key);
    return NULL;
}

static void options_check_their_values(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        int valid;
    } values[] = {
        {"loss.logit", "ce", 1},
        {"loss.logit", "logadj", 1},
        {"loss.logit", "pull", 0},
        {"loss.logit", "", 0},
        {"loss.embed", "none", 1},
        {"loss.embed", "pull", 1},
        {"loss.embed", "ce", 0},
        {"loss.pull.alpha", "pi", 1},
        {"loss.pull.alpha", "n^0.25", 1},
        {"loss.pull.alpha", "pi^-1e-1", 1},
        {"loss.pull.alpha", "n^", 0},
        {"loss.pull.alpha", "n^x", 0},
        {"loss.pull.alpha", "pi^nan", 0},
        {"loss.pull.alpha", "n^1 ", 0},
        {"loss.pull.alpha", "10*sqrt-pi", 0},
        {"loss.pull.alpha", "n^99", 0},
    };
    for (int i = 0; i < LENGTH(values); i++) {
        elm_error err = {0};
        const int status = row(values[i].key)->check(values[i].value, &err);
        if ((status == 0) != values[i].valid)
            fail_msg("%s = %s: %s", values[i].key, values[i].value, status ? err.text : "accepted");
        assert_int_equal(err.code, values[i].valid ? 0 : ELM_EXIT_USAGE);
    }
    elm_loss_about about;
    for (int i = 0; elm_loss_about_logit(i, &about); i++)
        assert_true(*about.formula && *about.source && *about.help);
    assert_false(elm_loss_about_logit(1000, &about));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logit_losses_are_pytorchs),
        cmocka_unit_test(pull_is_pytorchs_in_any_shares),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(gradients_are_added),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(evaluating_allocates_nothing),
        cmocka_unit_test(options_check_their_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
