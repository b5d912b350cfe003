/* Gradients of all losses against finite differences, with the defaults of their options and
 * with one option changed at a time, whichever they are: a loss or an option that joins the
 * tables is under test here without a line more. */
#include <stdlib.h>

#include "unit/loss_fixture.h"
#include "unit/loss_settings.h"
#include "unit/slopes.h"
#include "unit/whole_batch.h"

enum { IMAGES = 14, WIDTH = 5, CLASSES = GOLDEN_CLASSES };

static float embeddings[IMAGES * WIDTH], logits[IMAGES * CLASSES];
static int32_t labels[IMAGES];
static int settings, compared; /* how many there were, and gradients that were compared */

static seen_batch look(void)
{
    const whole_batch whole = {IMAGES,
                               WIDTH,
                               CLASSES,
                               labels,
                               embeddings,
                               logits,
                               {.seed = 3, .passed = 170, .length = 200}};
    return see(&whole, elm_partition_of(IMAGES, 1, 0));
}

/* NULL where the loss refuses this choice, which is an error of the user's. */
static elm_loss *create(const char *what, const elm_loss_options *options)
{
    elm_loss *loss = NULL;
    elm_error err = {0};
    float means[CLASSES * WIDTH];
    if (elm_loss_create(&loss, options, golden_class_counts(), WIDTH, IMAGES, IMAGES, &err)) {
        if (err.code != ELM_EXIT_USAGE)
            fail_msg("%s: %s", what, err.text);
        return NULL;
    }
    pseudo_fill(means, LENGTH(means), 9, 0.5F, 0);
    if (elm_loss_needs_of(loss).means)
        elm_loss_set_means(loss, means);
    return loss;
}

/* The embedding term. What it learns has seen a step before: the mean of a batch in which a
 * class is met for the first time is a constant to the gradient, but moves with the embeddings. */
static void check_term(const char *what, elm_loss *loss)
{
    const bool of_logits = elm_loss_needs_of(loss).logits;
    seen_batch s = look();
    elm_loss_embeddings(loss, &s.batch);
    elm_loss_update(loss, 0.1);
    forget_seen(&s);
    s = look();
    if (of_logits)
        check_slopes(what, loss, &s.batch, elm_loss_embeddings, logits, s.logits_gradient,
                     LENGTH(logits));
    else
        check_slopes(what, loss, &s.batch, elm_loss_embeddings, embeddings, s.embeddings_gradient,
                     LENGTH(embeddings));
    compared++;
    forget_seen(&s);
}

static void check_setting(const char *what, const elm_loss_options *options)
{
    elm_loss *loss = create(what, options);
    settings++;
    if (!loss)
        return;
    seen_batch s = look();
    if (strcmp(options->embed, "none") == 0) {
        check_slopes(what, loss, &s.batch, elm_loss_logits, logits, s.logits_gradient,
                     LENGTH(logits));
        compared++;
    } else if (!elm_loss_needs_of(loss).bank) {
        /* with the memory bank a term needs its traffic: tests/unit/test_bank_term.c */
        check_term(what, loss);
    }
    forget_seen(&s);
    elm_loss_destroy(loss);
}

static void every_option_of_every_loss(void **state)
{
    (void)state;
    fill_coarse(embeddings, LENGTH(embeddings), 1, 1);
    fill_coarse(logits, LENGTH(logits), 2, 3);
    for (int i = 0; i < IMAGES; i++)
        labels[i] = (int32_t)(i * i % 5 % CLASSES);
    each_loss_setting(check_setting);
    int rows = 0;
    for (const elm_option *row = elm_loss_option_rows; row->key; row++)
        rows++;
    assert_true(settings >= rows && compared > settings / 2);
}

static elm_loss_options seen_options;
static int seen_settings;

static void remember(const char *what, const elm_loss_options *options)
{
    (void)what;
    seen_options = *options;
    seen_settings++;
}

/* What the enumeration makes of rows of each kind. */
static void values_are_others_of_the_range(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        int settings;
    } rows[] = {{"loss.weights", 4 * 5},        {"loss.logadj.tau", 1},
                {"loss.weights.epoch", 1},      {"loss.scope", 2 * 3},
                {"loss.supcon.temperature", 2}, {"loss.pull.normalize", 1},
                {"loss.bank.per_class", 1}};
    for (int r = 0; r < LENGTH(rows); r++) {
        seen_settings = 0;
        each_value_of(setting_row(rows[r].key, strlen(rows[r].key)), remember);
        if (strcmp(rows[r].key, "loss.weights") != 0)
            assert_int_equal(rows[r].settings, seen_settings);
        else
            assert_true(seen_settings >= rows[r].settings);
    }
    each_value_of(setting_row("loss.ldam.margin", strlen("loss.ldam.margin")), remember);
    assert_true(seen_options.ldam_margin != 0.5 && seen_options.ldam_margin <= 2 &&
                !strcmp(seen_options.logit, "ldam"));
    each_value_of(setting_row("loss.bank.momentum", strlen("loss.bank.momentum")), remember);
    assert_true(seen_options.bank_momentum > 0 && seen_options.scope == ELM_SCOPE_BANK &&
                !strcmp(seen_options.embed, "pull"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_others_of_the_range),
        cmocka_unit_test(every_option_of_every_loss),
    };
    return cmocka_run_group_tests_name("options of losses", tests, NULL, NULL);
}
