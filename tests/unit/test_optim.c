/* SGD and AdamW against torch.optim, LARS against its paper's algorithm in fp64, schedules against torch's schedulers, and equal bits for any
 * number of threads. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <omp.h>

#include "elmpi/optim.h"
#include "golden/optim_golden.h"
#include "golden/pseudo.h"

#define LENGTH(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* An option's row. */
static const elm_option *row(const char *key)
{
    for (const elm_option *o = elm_optim_option_rows; o->key; o++)
        if (strcmp(o->key, key) == 0)
            return o;
    fail_msg("no option %s", key);
    return NULL;
}

/* Place of a name in "a|b|c". */
static int choice(const char *choices, const char *name)
{
    const size_t length = strlen(name);
    for (int i = 0;; i++) {
        if (strcspn(choices, "|") == length && strncmp(choices, name, length) == 0)
            return i;
        choices += strcspn(choices, "|");
        if (!*choices++)
            fail_msg("%s is no choice", name);
    }
}

static elm_optim_options sgd_options(const struct sgd_golden *g)
{
    return (elm_optim_options){.lr = g->lr,
                               .momentum = g->momentum,
                               .nesterov = g->nesterov,
                               .weight_decay = g->weight_decay};
}

static void sgd_is_pytorchs(void **state)
{
    (void)state;
    const elm_decay_range ranges[] = {
        {0, GOLDEN_DECAYED, true, false},
        {GOLDEN_DECAYED, GOLDEN_COUNT - GOLDEN_DECAYED, false, false}};
    for (int c = 0; c < LENGTH(golden_sgd_cases); c++) {
        const elm_optim_options options = sgd_options(&golden_sgd_cases[c]);
        float weights[GOLDEN_COUNT], momentum[GOLDEN_COUNT] = {0};
        memcpy(weights, golden_weights, sizeof weights);
        for (int s = 0; s < GOLDEN_STEPS; s++)
            elm_sgd_update(&options, options.lr, weights, golden_gradients + s * GOLDEN_COUNT,
                           momentum, ranges, LENGTH(ranges));
        for (int i = 0; i < GOLDEN_COUNT; i++)
            if (!(fabs(weights[i] - golden_sgd_cases[c].weights[i]) <=
                  2e-6 * fmax(1, fabs(golden_sgd_cases[c].weights[i]))))
                fail_msg("case %d, weight %d: %.9g, PyTorch has %.9g", c, i, weights[i],
                         golden_sgd_cases[c].weights[i]);
    }
}

/* The steps of the golden gradients. */
static void take_steps(const elm_optim_options *options, const elm_decay_range *ranges, int count,
                       float weights[GOLDEN_COUNT])
{
    float kept[ELM_OPTIMIZER_BLOCKS][GOLDEN_COUNT] = {{0}};
    memcpy(weights, golden_weights, GOLDEN_COUNT * sizeof *weights);
    for (int s = 0; s < GOLDEN_STEPS; s++)
        elm_optimizer_of(options)->update(
            &(elm_update){.options = options,
                          .lr = options->lr,
                          .done = s,
                          .weights = weights,
                          .gradients = golden_gradients + s * GOLDEN_COUNT,
                          .block = {kept[0], kept[1]},
                          .ranges = ranges,
                          .range_count = count});
}

static void compare(const char *what, int which, const float *weights, const double *expected)
{
    for (int i = 0; i < GOLDEN_COUNT; i++)
        if (!(fabs(weights[i] - expected[i]) <= 2e-6 * fmax(1, fabs(expected[i]))))
            fail_msg("%s, case %d, weight %d: %.9g, expected %.9g", what, which, i,
                     (double)weights[i], expected[i]);
}

static void adamw_is_pytorchs(void **state)
{
    (void)state;
    const elm_decay_range ranges[] = {
        {0, GOLDEN_DECAYED, true, false},
        {GOLDEN_DECAYED, GOLDEN_COUNT - GOLDEN_DECAYED, false, false}};
    for (int c = 0; c < LENGTH(golden_adamw_cases); c++) {
        const struct adamw_golden *g = &golden_adamw_cases[c];
        const elm_optim_options options = {.optimizer = choice(row("optim.name")->choices, "adamw"),
                                           .lr = g->lr,
                                           .beta1 = g->beta1,
                                           .beta2 = g->beta2,
                                           .epsilon = g->epsilon,
                                           .weight_decay = g->weight_decay};
        float weights[GOLDEN_COUNT];
        take_steps(&options, ranges, LENGTH(ranges), weights);
        compare("adamw", c, weights, g->weights);
    }
}

/* Two tensors and a vector, which has the plain rate. */
static void lars_is_its_papers(void **state)
{
    (void)state;
    const elm_decay_range ranges[] = {
        {0, GOLDEN_DECAYED, true, false},
        {GOLDEN_DECAYED, 2, false, false},
        {GOLDEN_DECAYED + 2, GOLDEN_COUNT - GOLDEN_DECAYED - 2, true, true}};
    for (int c = 0; c < LENGTH(golden_lars_cases); c++) {
        const struct lars_golden *g = &golden_lars_cases[c];
        const elm_optim_options options = {.optimizer = choice(row("optim.name")->choices, "lars"),
                                           .lr = g->lr,
                                           .momentum = g->momentum,
                                           .trust = g->trust,
                                           .weight_decay = g->weight_decay};
        float weights[GOLDEN_COUNT];
        take_steps(&options, ranges, LENGTH(ranges), weights);
        compare("lars", c, weights, g->weights);
    }
}

/* A tensor of zeros, or one without a gradient, has no ratio: it takes the plain step, and
 * nothing becomes NaN. */
static void lars_without_length(void **state)
{
    (void)state;
    const elm_optim_options options = {.optimizer = choice(row("optim.name")->choices, "lars"),
                                       .trust = 0.001};
    const elm_decay_range ranges[] = {{0, 2, false, false}, {2, 2, false, false}};
    float weights[] = {0, 0, 3, 4}, momentum[4] = {0};
    const float gradients[] = {1, 2, 0, 0};
    elm_optimizer_of(&options)->update(&(elm_update){.options = &options,
                                                     .lr = 0.5,
                                                     .weights = weights,
                                                     .gradients = gradients,
                                                     .block = {momentum},
                                                     .ranges = ranges,
                                                     .range_count = 2});
    static const float expected[] = {-0.5F, -1, 3, 4};
    assert_memory_equal(weights, expected, sizeof weights);
}

static void optimizers_are_the_choices(void **state)
{
    (void)state;
    int count = 0;
    for (const elm_optimizer *o; (o = elm_optimizer_row(count)); count++) {
        const elm_optim_options options = {.optimizer =
                                               choice(row("optim.name")->choices, o->name)};
        assert_ptr_equal(elm_optimizer_of(&options), o);
        assert_true(o->formula && o->source && o->help && o->update && o->block[0]);
    }
    assert_int_equal(count, 3);
    assert_null(elm_optimizer_row(-1));
}

/* The rate of the call counts, not the options' base rate. */
static void sgd_takes_the_steps_rate(void **state)
{
    (void)state;
    const elm_optim_options options = {.lr = 100, .momentum = 0};
    const elm_decay_range range = {0, 1, true, false};
    float weight = 1, momentum = 0;
    const float gradient = 2;
    elm_sgd_update(&options, 0.25, &weight, &gradient, &momentum, &range, 1);
    assert_true(weight == 0.5F);
    assert_true(momentum == 2);
}

static void clipping_is_pytorchs(void **state)
{
    (void)state;
    const elm_decay_range ranges[] = {
        {0, GOLDEN_DECAYED, true, false},
        {GOLDEN_DECAYED, GOLDEN_COUNT - GOLDEN_DECAYED, false, false}};
    int clipped = 0;
    for (int c = 0; c < LENGTH(golden_clip_cases); c++) {
        const struct clip_golden *g = &golden_clip_cases[c];
        const elm_optim_options options = {
            .momentum = g->momentum, .weight_decay = g->weight_decay, .clip_norm = g->bound};
        float weights[GOLDEN_COUNT], momentum[GOLDEN_COUNT] = {0}, gradients[GOLDEN_COUNT];
        memcpy(weights, golden_weights, sizeof weights);
        for (int s = 0; s < GOLDEN_STEPS; s++) {
            memcpy(gradients, golden_gradients + s * GOLDEN_COUNT, sizeof gradients);
            const double norm = elm_gradient_clip(&options, gradients, GOLDEN_COUNT);
            assert_float_equal(norm, g->norms[s], 1e-12 * g->norms[s]);
            clipped += norm > g->bound;
            assert_true(elm_gradient_norm(gradients, GOLDEN_COUNT) <= g->bound * (1 + 1e-6));
            elm_sgd_update(&options, g->lr, weights, gradients, momentum, ranges, LENGTH(ranges));
        }
        for (int i = 0; i < GOLDEN_COUNT; i++)
            if (!(fabs(weights[i] - g->weights[i]) <= 2e-6 * fmax(1, fabs(g->weights[i]))))
                fail_msg("case %d, weight %d: %.9g, PyTorch has %.9g", c, i, weights[i],
                         g->weights[i]);
    }
    /* some are, some are not */
    assert_in_range(clipped, 1, LENGTH(golden_clip_cases) * GOLDEN_STEPS - 1);
}

/* A gradient that needs no clipping keeps its bits, and 0 means never. */
static void clipping_leaves_short_gradients(void **state)
{
    (void)state;
    float gradients[] = {3e18F, 4e18F}, zeros[] = {0, 0};
    assert_true(elm_gradient_clip(&(elm_optim_options){.clip_norm = 0}, gradients, 2) == 0);
    assert_float_equal(elm_gradient_clip(&(elm_optim_options){.clip_norm = 6e18}, gradients, 2),
                       5e18, 1e12);
    assert_true(gradients[0] == 3e18F && gradients[1] == 4e18F);
    assert_true(elm_gradient_clip(&(elm_optim_options){.clip_norm = 1}, zeros, 2) == 0 &&
                zeros[0] == 0);
}

static void averages_are_pytorchs(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(golden_average_cases); c++) {
        const struct average_golden *g = &golden_average_cases[c];
        float average[GOLDEN_COUNT];
        memcpy(average, golden_weights, sizeof average);
        for (int s = 0; s < GOLDEN_STEPS; s++)
            elm_average_update(g->decay, average, golden_gradients + s * GOLDEN_COUNT,
                               GOLDEN_COUNT);
        for (int i = 0; i < GOLDEN_COUNT; i++)
            if (!(fabs(average[i] - g->average[i]) <= 1e-6 * fmax(1, fabs(g->average[i]))))
                fail_msg("decay %g, value %d: %.9g, PyTorch has %.9g", g->decay, i,
                         (double)average[i], g->average[i]);
    }
}

/* many chunks, with remainders, in ranges that begin anywhere */
enum { MANY = 100003, CUT = 60001 };

static void train_many(float *weights, int optimizer, bool nesterov, int threads)
{
    const elm_optim_options options = {.optimizer = optimizer,
                                       .momentum = 0.9,
                                       .nesterov = nesterov,
                                       .weight_decay = 0.01,
                                       .beta1 = 0.9,
                                       .beta2 = 0.999,
                                       .epsilon = 1e-8,
                                       .trust = 0.001};
    const elm_decay_range ranges[] = {
        {0, 5, false, true}, {5, CUT - 5, true, false}, {CUT, MANY - CUT, false, false}};
    float *gradients = malloc(MANY * sizeof *gradients), *kept = calloc(MANY, 2 * sizeof *kept);
    assert_true(gradients != NULL && kept != NULL);
    omp_set_num_threads(threads);
    pseudo_fill(weights, MANY, 1, 1, 0);
    for (uint32_t s = 0; s < 3; s++) {
        pseudo_fill(gradients, MANY, 10 + s, 1, 0);
        elm_optimizer_of(&options)->update(&(elm_update){.options = &options,
                                                         .lr = 0.1,
                                                         .done = s,
                                                         .weights = weights,
                                                         .gradients = gradients,
                                                         .block = {kept, kept + MANY},
                                                         .ranges = ranges,
                                                         .range_count = LENGTH(ranges)});
    }
    free(gradients);
    free(kept);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    float *one = malloc(MANY * sizeof *one), *several = malloc(MANY * sizeof *several);
    assert_true(one != NULL && several != NULL);
    const int before = omp_get_max_threads();
    for (int rule = 0; rule < 4; rule++) {
        const int optimizer = rule < 3 ? rule : 0; /* the last: Nesterov's */
        train_many(one, optimizer, rule == 3, 1);
        for (int threads = 2; threads <= 5; threads++) {
            train_many(several, optimizer, rule == 3, threads);
            assert_memory_equal(one, several, MANY * sizeof *one);
        }
    }
    omp_set_num_threads(before);
    free(one);
    free(several);
}

/* What does not change, such as weights that do not learn, keeps its bits. */
static void averages_do_not_depend_on_threads(void **state)
{
    (void)state;
    float *values = malloc(MANY * sizeof *values), *one = malloc(MANY * sizeof *one),
          *other = malloc(MANY * sizeof *other);
    assert_true(values != NULL && one != NULL && other != NULL);
    const int before = omp_get_max_threads();
    pseudo_fill(values, MANY, 5, 1, 0);
    memcpy(one, values, MANY * sizeof *one);
    elm_average_update(0.9998, one, values, MANY);
    assert_memory_equal(one, values, MANY * sizeof *one);
    for (int threads = 1; threads <= 5; threads++) {
        float *average = threads == 1 ? one : other;
        omp_set_num_threads(threads);
        pseudo_fill(average, MANY, 6, 1, 0);
        elm_average_update(0.99, average, values, MANY);
        assert_memory_equal(one, average, MANY * sizeof *one);
    }
    omp_set_num_threads(before);
    free(values);
    free(one);
    free(other);
}

static void threads_do_not_change_the_norm(void **state)
{
    (void)state;
    enum { COUNT = 3000017 };
    const elm_optim_options options = {.clip_norm = 1};
    const int before = omp_get_max_threads();
    float *first = malloc(COUNT * sizeof *first), *other = malloc(COUNT * sizeof *other);
    assert_true(first != NULL && other != NULL);
    double norm = 0, exact = 0;
    for (int threads = 1; threads <= 5; threads++) {
        float *g = threads == 1 ? first : other;
        pseudo_fill(g, COUNT, 3, 1, 0);
        for (int i = 0; threads == 1 && i < COUNT; i++)
            exact += (double)g[i] * (double)g[i];
        omp_set_num_threads(threads);
        const double found = elm_gradient_clip(&options, g, COUNT);
        if (threads == 1)
            norm = found;
        assert_true(found == norm);
        assert_memory_equal(g, first, COUNT * sizeof *first);
    }
    omp_set_num_threads(before);
    assert_float_equal(norm, sqrt(exact), 1e-10 * norm);
    free(first);
    free(other);
}

static void schedules_are_pytorchs(void **state)
{
    (void)state;
    for (int c = 0; c < LENGTH(golden_schedule_cases); c++) {
        const struct schedule_golden *g = &golden_schedule_cases[c];
        elm_optim_options options = {
            .lr = g->lr, .epochs = g->epochs, .warmup_epochs = g->warmup, .gamma = g->gamma};
        options.schedule = choice(row("optim.schedule")->choices, g->schedule);
        options.milestones.count = g->milestone_count;
        memcpy(options.milestones.value, g->milestones, sizeof g->milestones);
        assert_int_equal(elm_schedule_steps(&options, GOLDEN_STEPS_PER_EPOCH), g->steps);
        for (int s = 0; s < g->steps; s++) {
            const double rate = elm_schedule_lr(&options, s, GOLDEN_STEPS_PER_EPOCH);
            if (!(fabs(rate - g->rates[s]) <= 1e-12))
                fail_msg("%s (case %d), step %d: %.15g, PyTorch has %.15g", g->schedule, c, s, rate,
                         g->rates[s]);
        }
    }
}

/* 30 of 256 epochs with everything scaled alike: the rate at a step is that of the same fraction
 * of the long run. */
static void a_shortened_schedule_keeps_its_shape(void **state)
{
    (void)state;
    enum { STEPS_PER_EPOCH = 85 };
    static const double full[] = {96, 192, 224};
    elm_optim_options options = {
        .lr = 0.4, .epochs = 30, .warmup_epochs = 15 * 30.0 / 256, .gamma = 0.1};
    options.schedule = choice(row("optim.schedule")->choices, "multistep");
    options.milestones.count = LENGTH(full);
    for (int m = 0; m < LENGTH(full); m++)
        options.milestones.value[m] = full[m] * 30 / 256; /* 11.25, 22.5, 26.25 */
    assert_int_equal(elm_schedule_steps(&options, STEPS_PER_EPOCH), 2550);
    assert_float_equal(elm_schedule_lr(&options, 0, STEPS_PER_EPOCH),
                       0.4 / (15 * 30.0 / 256 * STEPS_PER_EPOCH), 1e-12);
    /* 149.4 warm-up steps */
    assert_float_equal(elm_schedule_lr(&options, 149, STEPS_PER_EPOCH), 0.4, 1e-12);
    assert_float_equal(elm_schedule_lr(&options, 956, STEPS_PER_EPOCH), 0.4, 1e-12); /* 956.25 */
    assert_float_equal(elm_schedule_lr(&options, 957, STEPS_PER_EPOCH), 0.04, 1e-12);
    /* 1912.5 */
    assert_float_equal(elm_schedule_lr(&options, 1913, STEPS_PER_EPOCH), 0.004, 1e-12);
    /* 2231.25 */
    assert_float_equal(elm_schedule_lr(&options, 2232, STEPS_PER_EPOCH), 0.0004, 1e-12);
}

/* 0.7 * 10 is 7.000000000000001 in binary, and means 7. */
static void rounding_moves_no_step(void **state)
{
    (void)state;
    elm_optim_options options = {.lr = 1, .epochs = 0.7, .gamma = 0.5, .milestones = {1, {0.7}}};
    options.schedule = choice(row("optim.schedule")->choices, "multistep");
    assert_int_equal(elm_schedule_steps(&options, 10), 7);
    assert_float_equal(elm_schedule_lr(&options, 6, 10), 1, 0);
    assert_float_equal(elm_schedule_lr(&options, 7, 10), 0.5, 0);
    options.epochs = 1e-6;
    assert_int_equal(elm_schedule_steps(&options, 1), 1);
}

static void batches_are_cut_into_parts(void **state)
{
    (void)state;
    const struct {
        int64_t batch, accumulate, part, parts;
    } rows[] = {{128, 1, 128, 1}, {128, 4, 32, 4}, {10, 4, 3, 4}, {10, 6, 2, 5}, {7, 7, 1, 7}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const elm_optim_options options = {.batch = rows[i].batch,
                                           .accumulate = rows[i].accumulate};
        assert_int_equal(elm_optim_microbatch(&options), rows[i].part);
        assert_int_equal(elm_optim_microbatches(&options), rows[i].parts);
        assert_int_equal(elm_optim_check(&options, NULL), 0);
    }
    elm_error err = {0};
    assert_int_equal(elm_optim_check(&(elm_optim_options){.batch = 7, .accumulate = 8}, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_USAGE);
    assert_non_null(strstr(err.text, "7 images cannot be cut into 8 parts"));
}

static void option_rows_fit_the_struct(void **state)
{
    (void)state;
    assert_int_equal(row("optim.lr")->offset, offsetof(elm_optim_options, lr));
    assert_int_equal(row("optim.milestones")->type, ELM_OPTION_REALS);
    assert_string_equal(row("optim.gamma")->used_if, "optim.schedule=multistep");
    assert_string_equal(row("optim.schedule")->choices, "constant|multistep|cosine");
    assert_string_equal(row("optim.momentum")->default_text, "0.9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sgd_is_pytorchs),
        cmocka_unit_test(sgd_takes_the_steps_rate),
        cmocka_unit_test(adamw_is_pytorchs),
        cmocka_unit_test(lars_is_its_papers),
        cmocka_unit_test(lars_without_length),
        cmocka_unit_test(optimizers_are_the_choices),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(averages_are_pytorchs),
        cmocka_unit_test(averages_do_not_depend_on_threads),
        cmocka_unit_test(clipping_is_pytorchs),
        cmocka_unit_test(clipping_leaves_short_gradients),
        cmocka_unit_test(threads_do_not_change_the_norm),
        cmocka_unit_test(schedules_are_pytorchs),
        cmocka_unit_test(a_shortened_schedule_keeps_its_shape),
        cmocka_unit_test(rounding_moves_no_step),
        cmocka_unit_test(batches_are_cut_into_parts),
        cmocka_unit_test(option_rows_fit_the_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
