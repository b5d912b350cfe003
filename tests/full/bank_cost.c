/* What the memory bank costs with the class counts of a file (one count a line) and synthetic
 * embeddings: memory, time and bytes a step, next to scope global; and by the same rules,
 * without a run, for more ranks. Usage: mpirun -np N bank_cost COUNTS.txt [fp32|bf16 [BATCH
 * [WIDTH [STEPS]]]] */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/process/clock.h"
#include "base/rng.h"
#include "comm/class_gather.h"
#include "elmpi/comm.h"
#include "elmpi/memory.h"
#include "train/bank_exchange.h"

enum { CLASSES_MAX = 100000, DRAWN = 20 /* batches, for the figures of more ranks */ };
static const double mib = 1.0 / (1 << 20);

typedef struct work {
    elm_comm *comm;
    elm_class_counts counts;
    int64_t count[CLASSES_MAX];
    int32_t *labels;
    int64_t batch, steps;
    int width;
    elm_loss_options options;
    int64_t *members;
    int32_t *batch_labels;
    float *x, *gradient;
} work;

static int fail(const char *what)
{
    fprintf(stderr, "bank_cost: %s\n", what);
    return 1;
}

static int read_counts(work *w, const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    for (char line[64]; w->counts.classes < CLASSES_MAX && fgets(line, sizeof line, file);)
        w->counts.total += w->count[w->counts.classes++] = strtol(line, NULL, 10);
    fclose(file);
    w->counts.count = w->count;
    return w->counts.total > 0 ? 0 : -1;
}

static int allocate(work *w, elm_error *err)
{
    const size_t local =
        (size_t)elm_partition_of(w->batch, elm_comm_size(w->comm), 0).local * (size_t)w->width;
    const elm_need needs[] = {
        {&w->labels, (size_t)w->counts.total, sizeof *w->labels},
        {&w->members, (size_t)w->batch, sizeof *w->members},
        {&w->batch_labels, (size_t)w->batch, sizeof *w->batch_labels},
        {&w->x, local, sizeof *w->x},
        {&w->gradient, local, sizeof *w->gradient},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err))
        return -1;
    for (int64_t c = 0, i = 0; c < w->counts.classes; c++)
        for (int64_t k = 0; k < w->count[c]; k++)
            w->labels[i++] = (int32_t)c;
    return 0;
}

/* An image's embedding: about 10 away, squared, from any other's of its class, so that no
 * exponential is 0. */
static void embed(const work *w, int64_t image, float *x)
{
    uint32_t state = (uint32_t)image * 2654435761u + 12345u;
    const float scale = sqrtf(10.0F / 2 * 3 / (float)w->width) / 2147483648.0F;
    for (int k = 0; k < w->width; k++) {
        state = state * 1664525u + 1013904223u;
        x[k] = (float)(int32_t)state * scale;
    }
}

static void draw_batch(work *w, int64_t number)
{
    elm_rng rng = elm_rng_stream(1, ELM_RNG_DATA, (uint64_t)number, 0);
    for (int64_t i = 0; i < w->batch; i++) {
        w->members[i] = elm_rng_below(&rng, (uint32_t)w->counts.total);
        w->batch_labels[i] = w->labels[w->members[i]];
    }
}

/* Every image has an entry, as after an epoch. */
static void fill(const work *w, elm_memory_bank *bank)
{
    for (int64_t i = 0; i < w->counts.total; i++)
        if (elm_memory_bank_owners(bank)[w->labels[i]] == elm_comm_rank(w->comm)) {
            embed(w, i, w->x);
            elm_memory_bank_store(bank, &(elm_bank_update){1, w->x, &i, NULL, 0});
        }
}

static elm_loss_batch seen_batch(const work *w, elm_partition share)
{
    memset(w->gradient, 0, (size_t)share.local * (size_t)w->width * sizeof *w->gradient);
    return (elm_loss_batch){.global = share.global,
                            .images = share.global,
                            .first = (int)share.first,
                            .local = share.local,
                            .width = w->width,
                            .classes = w->counts.classes,
                            .labels = w->batch_labels + share.first,
                            .embeddings = w->x,
                            .embeddings_gradient = w->gradient,
                            .moment = {.passed = 1}};
}

static elm_batch show_batch(work *w, int64_t number, elm_partition share)
{
    draw_batch(w, number);
    for (int i = 0; i < share.local; i++)
        embed(w, w->members[share.first + i], w->x + (size_t)i * (size_t)w->width);
    return (elm_batch){.share = share,
                       .microbatch_labels = w->batch_labels,
                       .members = w->members,
                       .images = share.global,
                       .passed = 1};
}

/* Seconds of what a step does with the bank: messages, the term and the storing; the slowest
 * rank's. The best of all steps: the machine is shared. */
static double time_bank(work *w, elm_bank_exchange *traffic, elm_loss *loss)
{
    const elm_partition share =
        elm_partition_of(w->batch, elm_comm_size(w->comm), elm_comm_rank(w->comm));
    double best = HUGE_VAL;
    for (int64_t s = 0; s < w->steps; s++) {
        const elm_batch batch = show_batch(w, s, share);
        const elm_loss_batch seen = seen_batch(w, share);
        elm_comm_barrier_all(w->comm);
        const double begun = elm_clock_seconds();
        elm_bank_exchange_post_all(traffic, &batch, w->x);
        const elm_loss_batch owned = elm_bank_exchange_wait_all(traffic, &batch, &seen);
        elm_loss_embeddings(loss, &owned);
        elm_bank_exchange_return_all(traffic, &seen);
        elm_bank_exchange_store(traffic, &batch);
        double seconds = elm_clock_seconds() - begun;
        elm_comm_max_all(w->comm, &seconds, 1);
        best = fmin(best, seconds);
    }
    return best;
}

static double time_global(work *w, elm_loss *loss)
{
    const elm_partition share =
        elm_partition_of(w->batch, elm_comm_size(w->comm), elm_comm_rank(w->comm));
    elm_class_gather *gather;
    elm_error err = {0};
    double best = HUGE_VAL;
    if (elm_class_gather_create_all(&gather, w->comm, ELM_GATHER_SLICES, w->width, w->batch,
                                    w->counts.classes, &err))
        return NAN;
    for (int64_t s = 0; s < w->steps; s++) {
        show_batch(w, s, share);
        elm_loss_batch seen = seen_batch(w, share);
        elm_comm_barrier_all(w->comm);
        const double begun = elm_clock_seconds();
        elm_class_gather_post_all(gather, w->batch_labels, share, w->x);
        const elm_gathered gathered = elm_class_gather_wait_all(gather);
        seen.remote = gathered.rows;
        seen.remote_labels = gathered.labels;
        seen.remote_position = gathered.position;
        seen.remote_embeddings = gathered.embeddings;
        elm_loss_embeddings(loss, &seen);
        double seconds = elm_clock_seconds() - begun;
        elm_comm_max_all(w->comm, &seconds, 1);
        best = fmin(best, seconds);
    }
    elm_class_gather_destroy(gather);
    return best;
}

/* MiB that a rank receives a step, mean over ranks and batches (and so what it sends). Global:
 * rows of classes that several ranks hold go to all others. Bank: rows go to their owners, as
 * many gradients come back. */
typedef struct bytes {
    double global, bank;
} bytes;

static bytes count_bytes(work *w, const int32_t *owner, int ranks, int32_t *holder)
{
    double travel = 0, foreign = 0;
    for (int64_t b = 0; b < DRAWN; b++) {
        draw_batch(w, 1000 + b);
        for (int c = 0; c < w->counts.classes; c++)
            holder[c] = -1;
        for (int pass = 0; pass < 2; pass++)
            for (int r = 0; r < ranks; r++) {
                const elm_partition share = elm_partition_of(w->batch, ranks, r);
                for (int64_t i = share.first; i < share.first + share.local; i++) {
                    int32_t *h = &holder[w->batch_labels[i]];
                    if (pass == 0)
                        *h = *h == -1 || *h == r ? r : -2;
                    else
                        travel += *h == -2;
                    foreign += pass == 0 && owner[w->batch_labels[i]] != r;
                }
            }
    }
    const double row = 4.0 * w->width * mib / DRAWN / ranks;
    return (bytes){travel * (ranks - 1) * row, 2 * foreign * row};
}

/* The largest share of any rank. */
static int more_ranks(work *w, elm_error *err)
{
    static const int sizes[] = {1, 2, 4, 32, 256};
    int32_t *owner = elm_alloc((size_t)w->counts.classes, sizeof *owner, err),
            *holder = elm_alloc((size_t)w->counts.classes, 4, err);
    const double value = w->options.bank_precision == 1 ? 2 : 4;
    int status = owner && holder ? 0 : -1;
    printf("\nBy formula: entries of the rank with most, their memory and an index over all images "
           "(4 bytes an image), MiB; expected pairs "
           "of the "
           "rank with most\nagainst the mean; MiB that a rank sends a step, and what scope global "
           "sends (each row to all other ranks).\n\n"
           "ranks |  entries |    memory | pairs, most / mean |  bank | global\n");
    for (size_t i = 0; !status && i < sizeof sizes / sizeof *sizes; i++) {
        double slots[256] = {0}, pairs[256] = {0}, most = 0, most_pairs = 0, sum = 0;
        status = elm_memory_bank_assign(&w->options, w->counts, sizes[i], owner, err);
        for (int c = 0; !status && c < w->counts.classes; c++) {
            slots[owner[c]] += (double)w->count[c];
            pairs[owner[c]] += (double)w->count[c] * (double)w->count[c];
            sum += (double)w->count[c] * (double)w->count[c];
        }
        for (int r = 0; r < sizes[i]; r++) {
            most = fmax(most, slots[r]);
            most_pairs = fmax(most_pairs, pairs[r]);
        }
        const bytes sent = count_bytes(w, owner, sizes[i], holder);
        printf("%5d | %8.0f | %9.1f | %18.3f | %5.2f | %6.2f\n", sizes[i], most,
               (most * (value * w->width + 32) + 4 * (double)w->counts.total) * mib,
               most_pairs * sizes[i] / sum, sent.bank, sent.global);
    }
    elm_free(owner);
    elm_free(holder);
    return status;
}

static void report(work *w, const elm_memory_bank *bank, double bank_seconds, double global_seconds)
{
    double memory = (double)elm_memory_bank_bytes(bank) * mib, rss;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    rss = (double)usage.ru_maxrss / 1024;
    elm_comm_max_all(w->comm, &memory, 1);
    elm_comm_max_all(w->comm, &rss, 1);
    if (elm_comm_rank(w->comm) > 0)
        return;
    printf("%d classes, %lld images, batch %lld, embeddings of %d in %s, %d ranks: bank %.1f MiB "
           "on the rank with most (%.1f MiB resident in "
           "all)\nseconds a step, best of %lld: bank %.3f, scope global %.3f\n",
           w->counts.classes, (long long)w->counts.total, (long long)w->batch, w->width,
           w->options.bank_precision == 1 ? "bf16" : "fp32", elm_comm_size(w->comm), memory, rss,
           (long long)w->steps, bank_seconds, global_seconds);
}

static int run(work *w, elm_error *err)
{
    elm_bank_exchange *traffic = NULL;
    elm_loss *loss = NULL, *plain = NULL;
    elm_loss_options global = w->options;
    const int local = elm_partition_of(w->batch, elm_comm_size(w->comm), 0).local;
    global.scope = ELM_SCOPE_GLOBAL;
    const elm_bank_exchange_spec spec = {.options = &w->options,
                                         .counts = w->counts,
                                         .labels = w->labels,
                                         .width = w->width,
                                         .max_local = local,
                                         .part = w->batch,
                                         .batch = w->batch};
    int status = elm_bank_exchange_create_all(&traffic, w->comm, &spec, err);
    if (!status)
        status = elm_comm_agree_all(
            w->comm, elm_loss_create(&loss, &w->options, w->counts, w->width, local, w->batch, err),
            err);
    if (!status)
        status = elm_comm_agree_all(
            w->comm, elm_loss_create(&plain, &global, w->counts, w->width, local, w->batch, err),
            err);
    if (!status) {
        fill(w, elm_bank_exchange_bank(traffic));
        const double bank_seconds = time_bank(w, traffic, loss),
                     global_seconds = time_global(w, plain);
        report(w, elm_bank_exchange_bank(traffic), bank_seconds, global_seconds);
        if (elm_comm_rank(w->comm) == 0 && elm_comm_size(w->comm) == 1)
            status = more_ranks(w, err);
    }
    elm_loss_destroy(loss);
    elm_loss_destroy(plain);
    elm_bank_exchange_destroy(traffic);
    return status;
}

int main(int argc, char **argv)
{
    static work w;
    elm_error err = {0};
    if (elm_comm_start_all(&w.comm, &argc, &argv, &err))
        return fail(err.text);
    w.batch = argc > 3 ? strtol(argv[3], NULL, 10) : 1024;
    w.width = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 2048;
    w.steps = argc > 5 ? strtol(argv[5], NULL, 10) : 5;
    w.options = (elm_loss_options){.logit = "ce",
                                   .embed = "pull",
                                   .lambda = 0.01,
                                   .pull_alpha = "sqrt-n",
                                   .pull_scale = 1,
                                   .scope = ELM_SCOPE_BANK,
                                   .bank_precision = argc > 2 && strcmp(argv[2], "bf16") == 0,
                                   .bank_max_age = 2,
                                   .bank_per_class = -1};
    int status = argc > 1 && !read_counts(&w, argv[1])
                     ? 0
                     : fail("usage: bank_cost COUNTS.txt [fp32|bf16 [BATCH [WIDTH [STEPS]]]]");
    if (!status && (allocate(&w, &err) || run(&w, &err)))
        status = fail(err.text);
    void *all[] = {w.labels, w.members, w.batch_labels, w.x, w.gradient};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    elm_comm_finish_all(w.comm);
    return status;
}
