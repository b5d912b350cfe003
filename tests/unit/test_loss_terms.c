/* Embedding terms over the whole batch: three steps are PyTorch's, in any shares; what they
 * learn is the same in every share, and carries on from a checkpoint. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "elmpi/memory.h"
#include "golden/term_golden.h"
#include "unit/slopes.h"
#include "unit/term_options.h"
#include "unit/whole_batch.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

enum { TENSORS_MAX = 4 };

static elm_loss *loss_for(const char *job_text, int local)
{
    const elm_loss_options options = options_from(job_text);
    int64_t total = 0;
    elm_loss *loss;
    elm_error err = {0};
    for (int c = 0; c < TERM_CLASSES; c++)
        total += term_counts[c];
    if (elm_loss_create(&loss, &options, (elm_class_counts){TERM_CLASSES, term_counts, total},
                        TERM_WIDTH, local, TERM_BATCH, &err))
        fail_msg("%s", err.text);
    return loss;
}

static whole_batch batch_of(const term_golden *g, int step, float *embeddings)
{
    for (int i = 0; i < TERM_BATCH * TERM_WIDTH; i++)
        embeddings[i] = term_embeddings[step * TERM_BATCH * TERM_WIDTH + i] * g->factor;
    return (whole_batch){
        .global = TERM_BATCH,
        .width = TERM_WIDTH,
        .classes = TERM_CLASSES,
        .labels = term_labels + step * TERM_BATCH,
        .embeddings = embeddings,
        .logits = term_logits + step * TERM_BATCH * TERM_CLASSES,
        .moment = {.passed = term_passed[step], .length = term_epochs},
    };
}

static void compare(const term_golden *g, int step, const char *what, const float *found,
                    const double *expected, int first, int count, int all)
{
    const double most = largest(expected, all);
    for (int i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[first + i]) <= 1e-5 * most))
            fail_msg("%s, step %d: %s %d: %.9g, PyTorch has %.9g\n%s", g->name, step, what,
                     first + i, (double)found[i], expected[first + i], g->job);
}

static void compare_loss(const term_golden *g, int step, double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-6 * fabs(expected) + 1e-12))
        fail_msg("%s, step %d: loss %.12g, PyTorch has %.12g\n%s", g->name, step, found, expected,
                 g->job);
}

/* Evaluates one share of a step and compares its gradients; returns its parts of the losses. */
static void share_of_step(const term_golden *g, int step, elm_loss *loss, elm_partition share,
                          double *logit, double *embed)
{
    float embeddings[TERM_BATCH * TERM_WIDTH];
    const whole_batch w = batch_of(g, step, embeddings);
    seen_batch s = see(&w, share);
    const term_step *expected = &g->step[step];
    const int64_t calls = elm_alloc_calls();
    *logit += elm_loss_logits(loss, &s.batch).loss;
    *embed += elm_loss_embeddings(loss, &s.batch).loss;
    assert_int_equal(elm_alloc_calls(), calls);
    compare(g, step, "embeddings' gradient", s.embeddings_gradient, expected->embeddings_gradient,
            (int)share.first * TERM_WIDTH, share.local * TERM_WIDTH,
            LENGTH(expected->embeddings_gradient));
    compare(g, step, "logits' gradient", s.logits_gradient, expected->logits_gradient,
            (int)share.first * TERM_CLASSES, share.local * TERM_CLASSES,
            LENGTH(expected->logits_gradient));
    forget_seen(&s);
}

static int learned_of(elm_loss *loss, elm_tensor *tensors)
{
    const int count = elm_loss_tensors(loss, tensors, TENSORS_MAX);
    assert_true(count <= TENSORS_MAX);
    for (int i = 0; i < count; i++)
        assert_true(strncmp(tensors[i].name, "loss/", 5) == 0 && tensors[i].count > 0);
    return count;
}

static void same_bits(elm_loss *a, elm_loss *b)
{
    elm_tensor of_a[TENSORS_MAX], of_b[TENSORS_MAX];
    const int count = learned_of(a, of_a);
    assert_int_equal(learned_of(b, of_b), count);
    for (int i = 0; i < count; i++)
        assert_memory_equal(of_a[i].data, of_b[i].data, (size_t)of_a[i].count * sizeof(float));
}

static void steps_in_shares(const term_golden *g, int parts)
{
    elm_loss *loss[TERM_BATCH + 3];
    for (int p = 0; p < parts; p++)
        loss[p] = loss_for(g->job, elm_partition_of(TERM_BATCH, parts, p).local);
    for (int step = 0; step < TERM_STEPS; step++) {
        double logit = 0, embed = 0;
        for (int p = 0; p < parts; p++)
            share_of_step(g, step, loss[p], elm_partition_of(TERM_BATCH, parts, p), &logit, &embed);
        compare_loss(g, step, logit, g->step[step].logit_loss);
        compare_loss(g, step, embed, g->step[step].embed_loss);
        for (int p = 0; p < parts; p++) {
            elm_loss_update(loss[p], term_lr);
            same_bits(loss[0], loss[p]);
        }
    }
    for (int p = 0; p < parts; p++)
        elm_loss_destroy(loss[p]);
}

static void terms_are_pytorchs_in_any_shares(void **state)
{
    (void)state;
    /* the last with empty shares */
    static const int parts[] = {1, 2, 3, 5, TERM_BATCH, TERM_BATCH + 3};
    const int64_t live = elm_alloc_live();
    for (int c = 0; c < LENGTH(term_cases); c++)
        for (int p = 0; p < LENGTH(parts); p++)
            steps_in_shares(&term_cases[c], parts[p]);
    assert_int_equal(elm_alloc_live(), live);
}

/* A step of the whole batch with what was learned so far; gives the gradient. */
static double whole_step(const term_golden *g, int step, elm_loss *loss, float *gradient)
{
    float embeddings[TERM_BATCH * TERM_WIDTH];
    const whole_batch w = batch_of(g, step, embeddings);
    seen_batch s = see(&w, elm_partition_of(TERM_BATCH, 1, 0));
    const double value = elm_loss_embeddings(loss, &s.batch).loss;
    memcpy(gradient, s.embeddings_gradient, TERM_BATCH * TERM_WIDTH * sizeof *gradient);
    forget_seen(&s);
    return value;
}

/* Two steps, the tensors carried over into a new loss, a third step in both: not a bit of
 * difference. */
static void learning_carries_on_from_its_tensors(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(term_cases); c++) {
        const term_golden *g = &term_cases[c];
        elm_loss *old = loss_for(g->job, TERM_BATCH), *new = loss_for(g->job, TERM_BATCH);
        elm_tensor from[TENSORS_MAX], to[TENSORS_MAX];
        float gradients[2][TERM_BATCH * TERM_WIDTH];
        for (int step = 0; step < 2; step++) {
            whole_step(g, step, old, gradients[0]);
            elm_loss_update(old, term_lr);
        }
        const int count = learned_of(old, from);
        learned_of(new, to);
        for (int i = 0; i < count; i++) {
            assert_string_equal(from[i].name, to[i].name);
            memcpy(to[i].data, from[i].data, (size_t)from[i].count * sizeof(float));
        }
        assert_true(whole_step(g, 2, old, gradients[0]) == whole_step(g, 2, new, gradients[1]));
        assert_memory_equal(gradients[0], gradients[1], sizeof gradients[0]);
        elm_loss_update(old, term_lr);
        elm_loss_update(new, term_lr);
        same_bits(old, new);
        elm_loss_destroy(old);
        elm_loss_destroy(new);
    }
}

/* An evaluation that no update follows (a step that was no good) leaves nothing behind. */
static void only_good_steps_teach(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(term_cases); c++) {
        const term_golden *g = &term_cases[c];
        elm_loss *one = loss_for(g->job, TERM_BATCH), *two = loss_for(g->job, TERM_BATCH);
        float gradient[TERM_BATCH * TERM_WIDTH];
        whole_step(g, 1, two, gradient);
        whole_step(g, 0, one, gradient);
        whole_step(g, 0, two, gradient);
        elm_loss_update(one, term_lr);
        elm_loss_update(two, term_lr);
        elm_loss_update(two, term_lr); /* nothing new to learn */
        same_bits(one, two);
        elm_loss_destroy(one);
        elm_loss_destroy(two);
    }
}

/* All rows of the table: a term that joins it is tested here without a line more. Centers have
 * seen a step before: the mean of a batch in which a class is met for the first time is a
 * constant to the gradient, but moves with the embeddings. */
static void gradients_are_slopes(void **state)
{
    (void)state;
    float embeddings[TERM_BATCH * TERM_WIDTH], logits[TERM_BATCH * TERM_CLASSES];
    fill_coarse(embeddings, LENGTH(embeddings), 1, 1);
    fill_coarse(logits, LENGTH(logits), 2, 3);
    elm_loss_about about;
    for (int i = 0; elm_loss_about_embed(i, &about); i++) {
        char job[128];
        snprintf(job, sizeof job, "[loss]\nembed = %s\nlambda = 1\n", about.name);
        elm_loss *loss = loss_for(job, TERM_BATCH);
        whole_batch w = batch_of(&term_cases[0], 0, (float[TERM_BATCH * TERM_WIDTH]){0});
        w.embeddings = embeddings;
        w.logits = logits;
        seen_batch s = see(&w, elm_partition_of(TERM_BATCH, 1, 0));
        elm_loss_embeddings(loss, &s.batch);
        elm_loss_update(loss, term_lr);
        memset(s.embeddings_gradient, 0, sizeof embeddings);
        memset(s.logits_gradient, 0, sizeof logits);
        if (elm_loss_needs_of(loss).logits)
            check_slopes(about.name, loss, &s.batch, elm_loss_embeddings, logits, s.logits_gradient,
                         LENGTH(logits));
        else
            check_slopes(about.name, loss, &s.batch, elm_loss_embeddings, embeddings,
                         s.embeddings_gradient, LENGTH(embeddings));
        forget_seen(&s);
        elm_loss_destroy(loss);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(terms_are_pytorchs_in_any_shares),
        cmocka_unit_test(learning_carries_on_from_its_tensors),
        cmocka_unit_test(only_good_steps_teach),
        cmocka_unit_test(gradients_are_slopes),
    };
    omp_set_num_threads(1); /* such small batches: threads would only wait for each other */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
