/* The memory bank: the pull term with it against PyTorch's fp64 values and finite differences;
 * what is kept, for how long, and who owns what. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "elmpi/memory.h"
#include "golden/bank_golden.h"
#include "loss/embedding/memory_bank.h"
#include "unit/slopes.h"

static const elm_class_counts golden_classes = {BANK_CLASSES, bank_counts, BANK_IMAGES};

static elm_loss_options options_of(const bank_golden *g)
{
    elm_loss_options o = {.logit = "ce",
                          .embed = "pull",
                          .lambda = g->lambda,
                          .pull_scale = g->scale,
                          .scope = ELM_SCOPE_BANK,
                          .pull_normalize = g->normalize,
                          .bank_precision = g->half,
                          .bank_max_age = g->max_age,
                          .bank_start_epoch = g->start_epoch,
                          .bank_momentum = g->momentum,
                          .bank_per_class = -1,
                          .bank_normalizer = g->mean};
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "%s", g->alpha);
    return o;
}

/* A loss, its bank (of one rank, which owns everything) and a batch of golden size. */
typedef struct fixture {
    elm_loss *loss;
    elm_memory_bank *bank;
    elm_loss_batch batch;
    int64_t member; /* of a batch of one image */
    int32_t labels[BANK_BATCH];
    float embeddings[BANK_BATCH * BANK_WIDTH], gradient[BANK_BATCH * BANK_WIDTH];
} fixture;

static void make(fixture *f, const elm_loss_options *o)
{
    elm_error err = {0};
    const elm_memory_bank_spec spec = {.options = o,
                                       .counts = golden_classes,
                                       .labels = bank_labels,
                                       .width = BANK_WIDTH,
                                       .size = 1};
    *f = (fixture){0};
    assert_int_equal(elm_loss_create(&f->loss, o, golden_classes, BANK_WIDTH, 1, BANK_BATCH, &err),
                     0);
    assert_int_equal(elm_loss_needs_of(f->loss).reach, ELM_LOSS_OWNED);
    assert_int_equal(elm_memory_bank_create(&f->bank, &spec, &err), 0);
}

static void release(fixture *f)
{
    elm_loss_destroy(f->loss);
    elm_memory_bank_destroy(f->bank);
}

static void show(fixture *f, int step, float factor)
{
    const int64_t *members = bank_members + step * BANK_BATCH;
    for (int i = 0; i < BANK_BATCH; i++)
        f->labels[i] = bank_labels[members[i]];
    for (int i = 0; i < BANK_BATCH * BANK_WIDTH; i++)
        f->embeddings[i] = bank_embeddings[step * BANK_BATCH * BANK_WIDTH + i] * factor;
    memset(f->gradient, 0, sizeof f->gradient);
    f->batch = (elm_loss_batch){.global = BANK_BATCH,
                                .images = BANK_BATCH,
                                .local = BANK_BATCH,
                                .width = BANK_WIDTH,
                                .classes = BANK_CLASSES,
                                .labels = f->labels,
                                .embeddings = f->embeddings,
                                .embeddings_gradient = f->gradient,
                                .members = members,
                                .bank = f->bank,
                                .moment = {.passed = bank_passed[step]}};
}

static void store(fixture *f)
{
    elm_memory_bank_store(f->bank, &(elm_bank_update){BANK_BATCH, f->embeddings, f->batch.members,
                                                      NULL, f->batch.moment.passed});
}

static void term_is_pytorchs(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof bank_cases / sizeof *bank_cases; c++) {
        const bank_golden *g = &bank_cases[c];
        const elm_loss_options o = options_of(g);
        fixture f;
        make(&f, &o);
        for (int s = 0; s < BANK_STEPS; s++) {
            show(&f, s, g->factor);
            const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
            const double most = largest(g->step[s].gradient, BANK_BATCH * BANK_WIDTH);
            if (!(fabs(value.loss - g->step[s].loss) <= 1e-6 * g->step[s].loss))
                fail_msg("case %zu, step %d: loss %.12g, PyTorch has %.12g", c, s, value.loss,
                         g->step[s].loss);
            assert_int_equal(value.with_bank[0] + value.with_bank[1] + value.with_bank[2],
                             g->step[s].with_bank);
            for (int i = 0; i < BANK_BATCH * BANK_WIDTH; i++)
                if (!(fabs(f.gradient[i] - g->step[s].gradient[i]) <= 1e-5 * most))
                    fail_msg("case %zu, step %d, gradient %d: %.9g, PyTorch has %.9g", c, s, i,
                             f.gradient[i], g->step[s].gradient[i]);
            store(&f);
        }
        release(&f);
    }
}

static elm_loss_value evaluate(elm_loss *loss, const elm_loss_batch *batch)
{
    memset(batch->embeddings_gradient, 0, sizeof(float) * BANK_BATCH * BANK_WIDTH);
    return elm_loss_embeddings(loss, batch);
}

static void gradients_are_slopes(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        bank_golden g = bank_cases[1];
        g.lambda = 1;
        g.normalize = variant == 1;
        g.mean = variant == 2;
        g.half = variant == 3;
        const elm_loss_options o = options_of(&g);
        fixture f;
        make(&f, &o);
        for (int s = 0; s < 3; s++) {
            show(&f, s, 1);
            store(&f);
        }
        show(&f, 3, 1);
        fill_coarse(f.embeddings, BANK_BATCH * BANK_WIDTH, 77, 1);
        check_slopes("pull with a bank", f.loss, &f.batch, evaluate, f.embeddings, f.gradient,
                     BANK_BATCH * BANK_WIDTH);
        release(&f);
    }
}

/* Without entries that count it is scope global, to the bit. */
static void empty_is_global(void **state)
{
    (void)state;
    for (int why = 0; why < 4; why++) {
        elm_loss_options o = options_of(&bank_cases[1]);
        elm_loss *global = NULL;
        float expected[BANK_BATCH * BANK_WIDTH] = {0};
        fixture f;
        o.bank_per_class = why == 0 ? 0 : -1;
        o.bank_max_age = why == 1 ? 0 : o.bank_max_age;
        o.bank_start_epoch = why == 2 ? 100 : 0;
        make(&f, &o);
        o.scope = ELM_SCOPE_GLOBAL;
        assert_int_equal(
            elm_loss_create(&global, &o, golden_classes, BANK_WIDTH, BANK_BATCH, BANK_BATCH, NULL),
            0);
        for (int s = 0; s < (why == 3 ? 1 : 4); s++) { /* 3: nothing has been stored yet */
            show(&f, s, 1);
            elm_loss_batch plain = f.batch;
            plain.bank = NULL;
            plain.embeddings_gradient = expected;
            memset(expected, 0, sizeof expected);
            const elm_loss_value there = elm_loss_embeddings(global, &plain),
                                 here = elm_loss_embeddings(f.loss, &f.batch);
            assert_true(here.loss == there.loss);
            assert_memory_equal(f.gradient, expected, sizeof expected);
            for (int g = 0; g < 3; g++) {
                assert_int_equal(here.with_positive[g], there.with_positive[g]);
                assert_int_equal(here.with_bank[g], 0);
            }
            assert_true(here.drift == 0 && here.spread == 0);
            store(&f);
        }
        elm_loss_destroy(global);
        release(&f);
    }
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    const int before = omp_get_max_threads();
    const elm_loss_options o = options_of(&bank_cases[4]);
    double losses[2] = {0}, drift[2] = {0};
    float gradients[2][BANK_BATCH * BANK_WIDTH];
    for (int threads = 1; threads <= 5; threads++) {
        fixture f;
        omp_set_num_threads(threads);
        make(&f, &o);
        const int to = threads > 1;
        for (int s = 0; s < BANK_STEPS; s++) {
            show(&f, s, 1);
            const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
            losses[to] = value.loss;
            drift[to] = value.drift / value.spread;
            store(&f);
        }
        memcpy(gradients[to], f.gradient, sizeof gradients[to]);
        if (to) {
            assert_true(losses[0] == losses[1] && drift[0] == drift[1]);
            assert_memory_equal(gradients[0], gradients[1], sizeof gradients[0]);
        }
        release(&f);
    }
    omp_set_num_threads(before);
}

/* An image whose embedding stays has drift 0; one that moves as far as the next image is away,
 * 1. */
static void drift_is_measured(void **state)
{
    (void)state;
    const elm_loss_options o = options_of(&bank_cases[1]);
    fixture f;
    int64_t members[2];
    int found = 0;
    for (int64_t i = 0; i < BANK_IMAGES && found < 2; i++)
        if (bank_labels[i] == 1)
            members[found++] = i;
    for (int far = 0; far < 2; far++) {
        make(&f, &o);
        show(&f, 0, 1);
        memset(f.embeddings, 0, sizeof f.embeddings);
        f.labels[0] = f.labels[1] = 1;
        f.embeddings[BANK_WIDTH] = 2; /* of the second, a squared distance of 4 away */
        f.batch.local = 2;
        f.batch.members = members;
        elm_memory_bank_store(f.bank, &(elm_bank_update){2, f.embeddings, members, NULL, 0});
        f.batch.local = 1;
        f.embeddings[1] = far ? 2 : 0;
        f.batch.moment.passed = 1;
        const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
        assert_true(value.drift == (far ? 4 : 0) && value.spread == (far ? 8 : 4));
        release(&f);
    }
}

/* Entries of the class that count for a batch of one image of another member. */
static int64_t usable(fixture *f, int64_t member, double now)
{
    const int32_t *slot;
    show(f, 0, 1);
    f->batch.local = 1;
    f->member = member;
    f->batch.members = &f->member;
    f->labels[0] = bank_labels[member];
    f->batch.moment.passed = now;
    elm_memory_bank_begin(f->bank, &f->batch);
    return elm_memory_bank_usable(f->bank, bank_labels[member], &slot);
}

static void the_newest_are_kept(void **state)
{
    (void)state;
    elm_loss_options o = options_of(&bank_cases[1]);
    int64_t image[4] = {0};
    int found = 0;
    const float x[3 * BANK_WIDTH] = {1, 2, 3};
    const bool keep[3] = {true, false, true};
    fixture f;
    for (int64_t i = 0; i < BANK_IMAGES && found < 4; i++)
        if (bank_labels[i] == 0)
            image[found++] = i;
    o.bank_per_class = 2;
    make(&f, &o);
    assert_int_equal(elm_memory_bank_slots(f.bank), 2 + 2 + 2 + 2 + 1);
    for (int i = 0; i < 3; i++) {
        elm_memory_bank_store(f.bank, &(elm_bank_update){1, x, image + i, NULL, i});
        assert_int_equal(usable(&f, image[3], i), i < 2 ? i + 1 : 2);
    }
    elm_memory_bank_begin(f.bank, &f.batch);
    assert_int_equal(elm_memory_bank_entry_of(f.bank, image[0]), -1); /* the oldest made room */
    assert_true(elm_memory_bank_entry_of(f.bank, image[1]) >= 0 &&
                elm_memory_bank_entry_of(f.bank, image[2]) >= 0);
    assert_int_equal(usable(&f, image[1], 2), 1); /* its own is no positive */
    /* More of a class in one batch than there is room for: the last. What is not to be kept
     * leaves the old one. */
    elm_memory_bank_store(
        f.bank, &(elm_bank_update){3, x, (int64_t[]){image[3], image[0], image[1]}, keep, 3});
    assert_int_equal(elm_memory_bank_entry_of(f.bank, image[0]), -1);
    assert_int_equal(elm_memory_bank_entry_of(f.bank, image[2]), -1);
    assert_true(elm_memory_bank_entry_of(f.bank, image[3]) >= 0 &&
                elm_memory_bank_entry_of(f.bank, image[1]) >= 0);
    release(&f);
}

static void a_step_allocates_nothing(void **state)
{
    (void)state;
    const int64_t live = elm_alloc_live();
    const elm_loss_options o = options_of(&bank_cases[2]);
    fixture f;
    make(&f, &o);
    const int64_t calls = elm_alloc_calls();
    for (int s = 0; s < BANK_STEPS; s++) {
        show(&f, s, 1);
        elm_loss_embeddings(f.loss, &f.batch);
        store(&f);
    }
    assert_int_equal(elm_alloc_calls(), calls);
    release(&f);
    elm_memory_bank_destroy(NULL);
    assert_int_equal(elm_alloc_live(), live);
}

/* In scope bank a center is the mean of all that is known of its class. */
static void centers_are_means(void **state)
{
    (void)state;
    for (int half = 0; half < 2; half++) {
        elm_loss_options o = options_of(&bank_cases[1]);
        static float latest[BANK_IMAGES][BANK_WIDTH];
        bool known[BANK_IMAGES] = {false};
        fixture f;
        snprintf(o.embed, sizeof o.embed, "center");
        o.lambda = 1;
        o.bank_precision = half;
        make(&f, &o);
        assert_int_equal(elm_loss_tensors(f.loss, NULL, 0), 0);
        for (int s = 0; s < 2; s++) { /* batches without repetitions */
            show(&f, s, 1);
            double loss = 0;
            const elm_loss_value value = elm_loss_embeddings(f.loss, &f.batch);
            for (int i = 0; i < BANK_BATCH; i++) {
                known[f.batch.members[i]] = true;
                memcpy(latest[f.batch.members[i]], f.embeddings + i * BANK_WIDTH, sizeof latest[0]);
            }
            for (int i = 0; i < BANK_BATCH * BANK_WIDTH; i++) {
                const int k = i % BANK_WIDTH;
                double sum = 0, count = 0;
                for (int64_t n = 0; n < BANK_IMAGES; n++)
                    if (known[n] && bank_labels[n] == f.labels[i / BANK_WIDTH]) {
                        sum += (double)latest[n][k];
                        count++;
                    }
                const double apart = (double)f.embeddings[i] - sum / count;
                loss += apart * apart / BANK_BATCH;
                assert_true(fabs((double)f.gradient[i] - 2 * apart / BANK_BATCH) <= 1e-6);
            }
            assert_true(fabs(value.loss - loss) <= 1e-6 * loss);
            assert_true((value.with_bank[0] + value.with_bank[1] + value.with_bank[2] > 0) ==
                        (s > 0));
            for (int i = 0; half && i < BANK_BATCH; i++) /* what the bank makes of them */
                for (int k = 0; k < BANK_WIDTH; k++)
                    latest[f.batch.members[i]][k] =
                        elm_bf16_to_float(elm_bf16_from_float(latest[f.batch.members[i]][k]));
            store(&f);
        }
        release(&f);
    }
    elm_error err = {0};
    elm_loss *loss;
    elm_loss_options o = options_of(&bank_cases[1]);
    snprintf(o.embed, sizeof o.embed, "center");
    o.scope = ELM_SCOPE_RANK;
    assert_int_equal(elm_loss_create(&loss, &o, golden_classes, BANK_WIDTH, 1, BANK_BATCH, &err),
                     -1);
    assert_non_null(strstr(err.text, "no scope rank"));
}

/* dro by the bank's means is dro by the same means from elsewhere. */
static void dro_takes_the_means(void **state)
{
    (void)state;
    elm_loss_options o = {.logit = "ce",
                          .embed = "dro",
                          .lambda = 1,
                          .dro_epsilon = 1,
                          .dro_momentum = 0.9,
                          .dro_centroids = 1};
    elm_loss *by_epoch, *by_bank;
    fixture f;
    const elm_loss_options pull = options_of(&bank_cases[0]);
    make(&f, &pull);
    show(&f, 0, 1);
    float means[BANK_CLASSES * BANK_WIDTH], first[BANK_BATCH * BANK_WIDTH];
    double present[BANK_CLASSES * BANK_WIDTH];
    pseudo_fill(means, BANK_CLASSES * BANK_WIDTH, 8, 1, 0);
    int places = 0;
    for (int32_t c = 0; c < BANK_CLASSES; c++) {
        bool occurs = false;
        for (int i = 0; i < BANK_BATCH; i++)
            occurs |= f.labels[i] == c;
        for (int k = 0; k < BANK_WIDTH && occurs; k++)
            present[places++] = (double)means[c * BANK_WIDTH + k];
    }
    /* a class is missing, so places are not labels */
    assert_true(places < BANK_CLASSES * BANK_WIDTH);
    f.batch.bank = NULL;
    assert_int_equal(
        elm_loss_create(&by_epoch, &o, golden_classes, BANK_WIDTH, BANK_BATCH, BANK_BATCH, NULL),
        0);
    o.scope = ELM_SCOPE_BANK;
    assert_int_equal(
        elm_loss_create(&by_bank, &o, golden_classes, BANK_WIDTH, BANK_BATCH, BANK_BATCH, NULL), 0);
    assert_true(elm_loss_needs_of(by_epoch).means && !elm_loss_needs_of(by_bank).means);
    assert_true(!elm_loss_needs_of(by_epoch).bank && elm_loss_needs_of(by_bank).bank &&
                elm_loss_needs_of(by_bank).reach == ELM_LOSS_EVERYTHING);
    assert_int_equal(elm_loss_tensors(by_bank, NULL, 0), 0);
    elm_loss_set_means(by_epoch, means);
    const double expected = elm_loss_embeddings(by_epoch, &f.batch).loss;
    memcpy(first, f.gradient, sizeof first);
    memset(f.gradient, 0, sizeof f.gradient);
    f.batch.class_means = present;
    assert_true(elm_loss_embeddings(by_bank, &f.batch).loss == expected);
    assert_memory_equal(f.gradient, first, sizeof first);
    elm_loss_update(by_bank, 1);
    memset(f.gradient, 0, sizeof f.gradient);
    assert_true(elm_loss_embeddings(by_bank, &f.batch).loss == expected); /* nothing followed */
    elm_loss_destroy(by_epoch);
    elm_loss_destroy(by_bank);
    release(&f);
}

/* Every class has one owner; memory, messages and work are even as far as the largest class lets
 * them be. */
static void owners_are_even(void **state)
{
    (void)state;
    enum { CLASSES = 8142, RANKS = 32 };
    static int64_t counts[CLASSES];
    static int32_t owner[CLASSES], again[CLASSES];
    elm_class_counts all = {CLASSES, counts, 0};
    elm_loss_options o = options_of(&bank_cases[1]);
    for (int c = 0; c < CLASSES; c++)
        /* as long a tail as iNaturalist's */
        all.total += counts[c] = 2 + (int64_t)(998 / (1 + 0.02 * c));
    for (int ranks = 1; ranks <= RANKS; ranks *= 2)
        for (int cap = -1; cap <= 200; cap += 201) {
            double images[RANKS] = {0}, slots[RANKS] = {0}, pairs[RANKS] = {0}, sum[3] = {0},
                   most[3] = {0};
            o.bank_per_class = cap;
            assert_int_equal(elm_memory_bank_assign(&o, all, ranks, owner, NULL), 0);
            assert_int_equal(elm_memory_bank_assign(&o, all, ranks, again, NULL), 0);
            assert_memory_equal(owner, again, sizeof owner);
            for (int c = 0; c < CLASSES; c++) {
                const double n = (double)counts[c],
                             room = (double)elm_memory_bank_class_slots(&o, counts[c]);
                assert_true(owner[c] >= 0 && owner[c] < ranks);
                images[owner[c]] += n;
                slots[owner[c]] += room;
                pairs[owner[c]] += n * room;
            }
            for (int r = 0; r < ranks; r++) {
                const double load[3] = {images[r], slots[r], pairs[r]};
                for (int k = 0; k < 3; k++) {
                    sum[k] += load[k];
                    most[k] = fmax(most[k], load[k]);
                }
            }
            assert_true(most[0] <= 1.15 * sum[0] / ranks);
            assert_true(most[1] <= 1.3 * sum[1] / ranks);
            assert_true(most[2] <= 1.3 * sum[2] / ranks);
        }
}

static void damaged_records_are_refused(void **state)
{
    (void)state;
    const elm_loss_options o = options_of(&bank_cases[1]);
    elm_error err = {0};
    fixture f, g;
    char records[14 * 64];
    make(&f, &o);
    for (int s = 0; s < 3; s++) {
        show(&f, s, 1);
        store(&f);
    }
    const elm_memory_bank_layout layout = elm_memory_bank_layout_of(f.bank);
    assert_int_equal(layout.records, BANK_IMAGES);
    assert_true(layout.record_bytes * 14 <= sizeof records);
    const int64_t strangers[] = {-5, BANK_IMAGES, INT64_MAX, 0};
    for (int s = 0; s < 4; s++) {
        elm_memory_bank_export(f.bank, 0, 0, 14, records);
        int64_t stranger = strangers[s];
        if (s == 3) /* an image twice */
            memcpy(&stranger, records + layout.record_bytes + 8, sizeof stranger);
        memcpy(records + 8, &stranger, sizeof stranger);
        make(&g, &o);
        assert_int_equal(elm_memory_bank_import(g.bank, 0, 0, 14, records, &err), -1);
        release(&g);
    }
    release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(term_is_pytorchs),
        cmocka_unit_test(gradients_are_slopes),
        cmocka_unit_test(empty_is_global),
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(drift_is_measured),
        cmocka_unit_test(the_newest_are_kept),
        cmocka_unit_test(a_step_allocates_nothing),
        cmocka_unit_test(owners_are_even),
        cmocka_unit_test(centers_are_means),
        cmocka_unit_test(dro_takes_the_means),
        cmocka_unit_test(damaged_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
