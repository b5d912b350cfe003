/* The memory bank over ranks: sharded, exchanged and sent home it gives the loss and gradients
 * that every rank also computes for itself by brute force in double, over steps in which the
 * bank fills, ages and is averaged. */
#include <stdlib.h>
#include <string.h>

#include "mpi/batches.h"
#include "mpi/ranks.h"
#include "train/bank_exchange.h"

enum { WIDTH = 19, CLASSES = 9, IMAGES = 100, BATCH = 37, STEPS = 12, PIECES = 2048 };

static const int64_t counts[CLASSES] = {40, 25, 12, 9, 6, 3, 2, 2, 1};
static const double no_limit = 1e9;

typedef struct setting {
    const char *name;
    const char *alpha;
    bool normalize, mean, half, broken; /* broken: every fifth image shows another's pixels */
    double momentum, max_age, start_epoch;
    int parts;
} setting;

static const setting settings[] = {
    {"plain", "sqrt-n", .max_age = no_limit, .parts = 1},
    {"strong", "sqrt-pi", .max_age = no_limit, .parts = 1},
    {"normalised", "sqrt-pi", .normalize = true, .max_age = no_limit, .parts = 1},
    {"mean", "sqrt-pi", .mean = true, .max_age = no_limit, .parts = 1},
    {"momentum", "sqrt-pi", .momentum = 0.6, .max_age = no_limit, .parts = 1},
    {"aging", "sqrt-pi", .max_age = 0.25, .parts = 1},
    {"late", "sqrt-pi", .max_age = no_limit, .start_epoch = 0.5, .parts = 1},
    {"bf16", "sqrt-pi", .half = true, .momentum = 0.3, .max_age = no_limit, .parts = 1},
    {"in parts", "sqrt-pi", .max_age = no_limit, .parts = 3},
    {"substitutes", "sqrt-pi", .broken = true, .max_age = no_limit, .parts = 2},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

/* The brute-force bank: whole, on every rank. */
typedef struct model {
    int32_t label[IMAGES];
    float entry[IMAGES][WIDTH];
    double when[IMAGES]; /* -1: none */
} model;

typedef struct whole {
    double loss, gradient[BATCH][WIDTH];
    int64_t with_bank, with_positive;
} whole;

static void unit(const float *x, bool normalize, double *u, double *length)
{
    double sum = 0;
    for (int k = 0; k < WIDTH; k++)
        sum += (double)x[k] * (double)x[k];
    *length = normalize ? sqrt(sum) : 1;
    for (int k = 0; k < WIDTH; k++)
        u[k] = (double)x[k] / *length;
}

static double distance(const double *a, const double *b)
{
    double d = 0;
    for (int k = 0; k < WIDTH; k++)
        d += (a[k] - b[k]) * (a[k] - b[k]);
    return d;
}

static bool usable(const setting *s, const model *m, int64_t image, double passed,
                   const int64_t *members, int rows)
{
    bool present = false;
    for (int j = 0; j < rows; j++)
        present |= members[j] == image;
    return !present && m->when[image] >= 0 && passed - m->when[image] <= s->max_age + 1e-9 &&
           passed >= s->start_epoch;
}

/* Anchor i against everything: each positive's exponential, then what each says. */
static void add_anchor(const setting *s, const model *m, const int64_t *members,
                       const double (*u)[WIDTH], int rows, int i, double passed, int64_t global,
                       whole *w)
{
    static double fresh[BATCH], stored[IMAGES], v[IMAGES][WIDTH];
    const int32_t y = m->label[members[i]];
    const double alpha =
        sqrt(strcmp(s->alpha, "sqrt-n") == 0 ? (double)counts[y] : (double)counts[y] / IMAGES);
    int positives = 0, others = 0;
    double length, sum = 0;
    for (int j = 0; j < rows; j++) {
        fresh[j] = j != i && m->label[members[j]] == y ? exp(distance(u[i], u[j]) - alpha) : 0;
        positives += fresh[j] > 0;
        sum += fresh[j];
    }
    for (int64_t k = 0; k < IMAGES; k++) {
        stored[k] = 0;
        if (m->label[k] != y || !usable(s, m, k, passed, members, rows))
            continue;
        unit(m->entry[k], s->normalize, v[k], &length);
        stored[k] = exp(distance(u[i], v[k]) - alpha);
        others++;
        sum += stored[k];
    }
    const double share = s->mean && positives + others > 0 ? 1.0 / (positives + others) : 1;
    w->with_positive += positives > 0;
    w->with_bank += others > 0;
    w->loss += log(1 + share * sum) / (double)global;
    const double factor = 2 / (double)global * share / (1 + share * sum);
    for (int k = 0; k < WIDTH; k++) {
        for (int j = 0; j < rows; j++) {
            w->gradient[i][k] += factor * fresh[j] * (u[i][k] - u[j][k]);
            w->gradient[j][k] -= factor * fresh[j] * (u[i][k] - u[j][k]);
        }
        for (int64_t n = 0; n < IMAGES; n++)
            w->gradient[i][k] += stored[n] > 0 ? factor * stored[n] * (u[i][k] - v[n][k]) : 0;
    }
}

static void brute_force(const setting *s, const model *m, const int64_t *members, const float *x,
                        int rows, double passed, int64_t global, whole *w)
{
    static double u[BATCH][WIDTH], length[BATCH];
    memset(w, 0, sizeof *w);
    for (int i = 0; i < rows; i++)
        unit(x + i * WIDTH, s->normalize, u[i], &length[i]);
    for (int i = 0; i < rows; i++)
        add_anchor(s, m, members, u, rows, i, passed, global, w);
    for (int i = 0; i < rows && s->normalize; i++) {
        double along = 0;
        for (int k = 0; k < WIDTH; k++)
            along += w->gradient[i][k] * u[i][k];
        for (int k = 0; k < WIDTH; k++)
            w->gradient[i][k] = (w->gradient[i][k] - along * u[i][k]) / length[i];
    }
}

static bool is_broken(int64_t image)
{
    return image % 5 == 3;
}

/* Of an image that is there twice only the last counts; one that shows another's pixels has no
 * entry. */
static void remember(const setting *s, model *m, const int64_t *members, const float *x, int rows,
                     double passed)
{
    for (int i = 0; i < rows; i++) {
        const int64_t image = members[i];
        bool again = false;
        for (int j = i + 1; j < rows; j++)
            again |= members[j] == image;
        if (again || (s->broken && is_broken(image)))
            continue;
        const double old = m->when[image] >= 0 ? s->momentum : 0;
        for (int k = 0; k < WIDTH; k++) {
            const float mixed =
                (float)(old * (double)m->entry[image][k] + (1 - old) * (double)x[i * WIDTH + k]);
            m->entry[image][k] = s->half ? elm_bf16_to_float(elm_bf16_from_float(mixed)) : mixed;
        }
        m->when[image] = passed;
    }
}

static elm_loss_options options_of(const setting *s)
{
    elm_loss_options o = {.logit = "ce",
                          .embed = "pull",
                          .lambda = 1,
                          .pull_scale = 1,
                          .scope = ELM_SCOPE_BANK,
                          .pull_normalize = s->normalize,
                          .bank_precision = s->half,
                          .bank_max_age = s->max_age,
                          .bank_start_epoch = s->start_epoch,
                          .bank_momentum = s->momentum,
                          .bank_per_class = -1,
                          .bank_normalizer = s->mean};
    snprintf(o.pull_alpha, sizeof o.pull_alpha, "%s", s->alpha);
    return o;
}

/* The classes' images mixed, as in a store. */
static void label_images(int32_t *label)
{
    int64_t place = 0;
    for (int32_t c = 0; c < CLASSES; c++)
        for (int64_t i = 0; i < counts[c]; i++, place++)
            label[place * 37 % IMAGES] = c;
}

/* One global batch. */
typedef struct step {
    int64_t members[BATCH];
    int32_t labels[BATCH];
    bool replaced[BATCH];
    float x[BATCH * WIDTH];
    int64_t images;
    double passed;
} step;

static void draw_step(const model *m, int s, step *made)
{
    float draws[BATCH];
    made->images = s == 0 ? 1 : s == 1 ? 4 : BATCH - s % 3;
    made->passed = 0.1 * s;
    pseudo_fill(draws, BATCH, 900 + (uint32_t)s, 1, 0);
    for (int64_t i = 0; i < made->images; i++) { /* with repetitions */
        made->members[i] = (int64_t)fabs((double)draws[i] * 1e6) % IMAGES;
        made->labels[i] = m->label[made->members[i]];
    }
    if (s > 2)
        made->members[7] = made->members[2], made->labels[7] = made->labels[2];
    for (int64_t i = 0; i < made->images; i++)
        made->replaced[i] = is_broken(made->members[i]);
    pseudo_fill(made->x, BATCH * WIDTH, 300 + (uint32_t)s, 0.4F, 0);
}

static elm_batch part_of(const step *all, int parts, int part)
{
    const int64_t first = elm_partition_begin(all->images, parts, part),
                  end = elm_partition_begin(all->images, parts, part + 1);
    const elm_partition share =
        elm_partition_of(end - first, elm_comm_size(comm), elm_comm_rank(comm));
    return (elm_batch){.passed = all->passed,
                       .continues = part > 0,
                       .more = part + 1 < parts,
                       .share = share,
                       .labels = all->labels + first + share.first,
                       .microbatch_labels = all->labels + first,
                       .members = all->members + first,
                       .images = all->images,
                       .global_labels = all->labels};
}

/* What the ranks make of a part; `gradient` [local][WIDTH]. */
static elm_loss_value evaluate(elm_bank_exchange *traffic, elm_loss *loss, const elm_batch *batch,
                               const float *x, float *gradient)
{
    const elm_loss_batch seen = {.global = batch->images,
                                 .images = batch->share.global,
                                 .first = (int)batch->share.first,
                                 .local = batch->share.local,
                                 .width = WIDTH,
                                 .classes = CLASSES,
                                 .labels = batch->labels,
                                 .embeddings = x + batch->share.first * WIDTH,
                                 .embeddings_gradient = gradient,
                                 .moment = {.passed = batch->passed}};
    memset(gradient, 0, (size_t)batch->share.local * WIDTH * sizeof *gradient);
    elm_bank_exchange_post_all(traffic, batch, seen.embeddings);
    elm_bank_exchange_poll(traffic);
    const elm_loss_batch owned = elm_bank_exchange_wait_all(traffic, batch, &seen);
    const elm_loss_value value = elm_loss_embeddings(loss, &owned);
    elm_bank_exchange_return_all(traffic, &seen);
    return value;
}

static void compare(const setting *s, int number, const elm_batch *batch, elm_loss_value value,
                    const float *gradient, const whole *w)
{
    double sums[3] = {
        value.loss, (double)(value.with_bank[0] + value.with_bank[1] + value.with_bank[2]),
        (double)(value.with_positive[0] + value.with_positive[1] + value.with_positive[2])};
    double worst = 0, most = 1e-30;
    for (int i = 0; i < batch->share.local; i++)
        for (int k = 0; k < WIDTH; k++)
            worst = fmax(worst, fabs((double)gradient[i * WIDTH + k] -
                                     w->gradient[batch->share.first + i][k]));
    for (int64_t i = 0; i < batch->share.global; i++)
        for (int k = 0; k < WIDTH; k++)
            most = fmax(most, fabs(w->gradient[i][k]));
    elm_comm_sum_all(comm, sums, 3);
    elm_comm_max_all(comm, &worst, 1);
    const double off = fabs(sums[0] - w->loss) / (w->loss + 1e-30);
    if (off > 1e-5 || worst / most > 1e-5)
        fprintf(stderr, "%s, step %d: loss off by %g, gradient by %g\n", s->name, number, off,
                worst / most);
    check(off <= 1e-5);
    check(worst <= 1e-5 * most);
    check((int64_t)sums[1] == w->with_bank && (int64_t)sums[2] == w->with_positive);
}

/* All records, in order, on rank 0. */
static size_t take_records(elm_bank_exchange *traffic, char *to, size_t room)
{
    size_t used = 0, size_bytes = 1;
    elm_bank_exchange_rewind(traffic);
    if (elm_comm_rank(comm) > 0)
        elm_bank_exchange_send_rest(traffic);
    while (elm_comm_rank(comm) == 0 && size_bytes > 0) {
        const void *piece;
        elm_bank_exchange_next(traffic, &piece, &size_bytes);
        check(used + size_bytes <= room);
        memcpy(to + used, piece, size_bytes);
        used += size_bytes;
    }
    return used;
}

static int read_record(void *context, int64_t offset, void *piece, size_t size_bytes,
                       elm_error *err)
{
    (void)err;
    memcpy(piece, (char *)context + offset, size_bytes);
    return 0;
}

static elm_bank_exchange *create(const elm_loss_options *o, const int32_t *labels, int parts)
{
    elm_bank_exchange *traffic = NULL;
    elm_error err = {0};
    const elm_bank_exchange_spec spec = {.options = o,
                                         .counts = {CLASSES, counts, IMAGES},
                                         .labels = labels,
                                         .width = WIDTH,
                                         .max_local =
                                             elm_partition_of(BATCH, elm_comm_size(comm), 0).local,
                                         .means = true,
                                         .part = (BATCH + parts - 1) / parts,
                                         .batch = BATCH};
    check(elm_bank_exchange_create_all(&traffic, comm, &spec, &err) == 0);
    return traffic;
}

/* What goes into a checkpoint comes back, and says the same again; a record out of place is
 * refused on all ranks. */
static elm_bank_exchange *pass_through_checkpoint(elm_bank_exchange *traffic,
                                                  const elm_loss_options *o, const int32_t *labels,
                                                  int parts)
{
    static char before[IMAGES * 200], after[IMAGES * 200];
    elm_error err = {0};
    const size_t size = take_records(traffic, before, sizeof before);
    elm_bank_exchange *again = create(o, labels, parts), *refused = create(o, labels, parts);
    check(elm_bank_exchange_load_all(again, read_record, before, &err) == 0);
    check(take_records(again, after, sizeof after) == size && memcmp(before, after, size) == 0);
    const elm_memory_bank_layout layout = elm_memory_bank_layout_of(elm_bank_exchange_bank(again));
    check(elm_comm_rank(comm) > 0 || size == (size_t)layout.records * layout.record_bytes);
    const int64_t stranger = IMAGES;
    memcpy(before + 8, &stranger, sizeof stranger);
    check(elm_bank_exchange_load_all(refused, read_record, before, &err) == -1 &&
          strstr(err.text, "does not fit"));
    elm_bank_exchange_destroy(refused);
    elm_bank_exchange_destroy(traffic);
    return again;
}

static void one_setting(const setting *s)
{
    static model m;
    static whole w;
    static step now;
    static float gradient[BATCH * WIDTH];
    const elm_loss_options o = options_of(s);
    elm_loss *loss = NULL;
    elm_error err = {0};
    label_images(m.label);
    for (int i = 0; i < IMAGES; i++)
        m.when[i] = -1;
    const int local = elm_partition_of(BATCH, elm_comm_size(comm), 0).local;
    check(elm_loss_create(&loss, &o, (elm_class_counts){CLASSES, counts, IMAGES}, WIDTH, local,
                          BATCH, &err) == 0);
    check(elm_loss_needs_of(loss).reach == ELM_LOSS_OWNED);
    elm_bank_exchange *traffic = create(&o, m.label, s->parts);
    for (int number = 0; number < STEPS; number++) {
        draw_step(&m, number, &now);
        elm_batch batch;
        for (int part = 0; part < s->parts; part++) {
            batch = part_of(&now, s->parts, part);
            if (s->broken)
                batch.replaced = now.replaced + (batch.labels - now.labels);
            const int64_t first = batch.members - now.members;
            brute_force(s, &m, batch.members, now.x + first * WIDTH, (int)batch.share.global,
                        now.passed, now.images, &w);
            const elm_loss_value value =
                evaluate(traffic, loss, &batch, now.x + first * WIDTH, gradient);
            compare(s, number, &batch, value, gradient, &w);
        }
        if (number % 5 != 3) { /* a step that was not good leaves nothing behind */
            elm_bank_exchange_store(traffic, &batch);
            remember(s, &m, now.members, now.x, (int)now.images, now.passed);
        }
        if (number == 6)
            traffic = pass_through_checkpoint(traffic, &o, m.label, s->parts);
    }
    elm_bank_exchange_destroy(traffic);
    elm_loss_destroy(loss);
}

/* Without room the bank stays empty: scope global. */
static void no_room(void)
{
    static model m;
    static step now;
    static float gradient[BATCH * WIDTH], expected[BATCH * WIDTH];
    elm_loss_options o = options_of(&settings[1]), global = o;
    elm_loss *loss = NULL, *plain = NULL;
    o.bank_per_class = 0;
    global.scope = ELM_SCOPE_GLOBAL;
    label_images(m.label);
    const elm_class_counts all = {CLASSES, counts, IMAGES};
    check(elm_loss_create(&loss, &o, all, WIDTH,
                          elm_partition_of(BATCH, elm_comm_size(comm), 0).local, BATCH, NULL) == 0);
    check(elm_loss_create(&plain, &global, all, WIDTH, BATCH, BATCH, NULL) == 0);
    elm_bank_exchange *traffic = create(&o, m.label, 1);
    for (int number = 0; number < 4; number++) {
        draw_step(&m, number, &now);
        const elm_batch batch = part_of(&now, 1, 0);
        const elm_loss_batch seen = {.global = now.images,
                                     .images = now.images,
                                     .local = (int)now.images,
                                     .width = WIDTH,
                                     .classes = CLASSES,
                                     .labels = now.labels,
                                     .embeddings = now.x,
                                     .embeddings_gradient = expected};
        memset(expected, 0, sizeof expected);
        const elm_loss_value there = elm_loss_embeddings(plain, &seen),
                             here = evaluate(traffic, loss, &batch, now.x, gradient);
        double sum = here.loss;
        elm_comm_sum_all(comm, &sum, 1);
        check(fabs(sum - there.loss) <= 1e-9 * there.loss);
        check(here.with_bank[0] + here.with_bank[1] + here.with_bank[2] == 0 && here.drift == 0);
        for (int64_t i = 0; i < (int64_t)batch.share.local * WIDTH; i++)
            check(fabs((double)gradient[i] - (double)expected[batch.share.first * WIDTH + i]) <=
                  1e-6 * fabs((double)gradient[i]) + 1e-12);
        elm_bank_exchange_store(traffic, &batch);
    }
    elm_bank_exchange_destroy(traffic);
    elm_loss_destroy(loss);
    elm_loss_destroy(plain);
}

/* Class means over the batch and the bank, on all ranks. */
static void means(void)
{
    static model m;
    static step now;
    const elm_loss_options o = options_of(&settings[0]);
    label_images(m.label);
    for (int i = 0; i < IMAGES; i++)
        m.when[i] = -1;
    elm_bank_exchange *traffic = create(&o, m.label, 1);
    for (int number = 0; number < 6; number++) {
        int64_t covered[3] = {0};
        draw_step(&m, number, &now);
        const elm_batch batch = part_of(&now, 1, 0);
        const elm_loss_batch seen = {.global = now.images,
                                     .images = now.images,
                                     .width = WIDTH,
                                     .classes = CLASSES,
                                     .moment = {.passed = now.passed}};
        elm_bank_exchange_post_all(traffic, &batch, now.x + batch.share.first * WIDTH);
        const elm_loss_batch owned = elm_bank_exchange_wait_all(traffic, &batch, &seen);
        const double *found = elm_bank_exchange_means_all(traffic, &batch, &owned, covered);
        for (int32_t c = 0; c < CLASSES; c++) {
            double sum[WIDTH] = {0};
            int rows = 0, entries = 0;
            for (int64_t i = 0; i < now.images; i++)
                for (int k = 0; k < WIDTH && now.labels[i] == c; k++)
                    sum[k] += (double)now.x[i * WIDTH + k], rows += k == 0;
            for (int64_t i = 0; i < IMAGES; i++)
                for (int k = 0;
                     k < WIDTH && m.label[i] == c &&
                     usable(&settings[0], &m, i, now.passed, now.members, (int)now.images);
                     k++)
                    sum[k] += (double)m.entry[i][k], entries += k == 0;
            for (int k = 0; k < WIDTH && rows > 0; k++)
                check(fabs(*found++ - sum[k] / (rows + entries)) <= 1e-12);
        }
        elm_bank_exchange_store(traffic, &batch);
        remember(&settings[0], &m, now.members, now.x, (int)now.images, now.passed);
    }
    elm_bank_exchange_destroy(traffic);
}

static void tests(void)
{
    means();
    for (int s = 0; s < SETTINGS; s++)
        one_setting(&settings[s]);
    no_room();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "the memory bank", tests);
}
