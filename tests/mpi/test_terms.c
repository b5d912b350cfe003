/* Every embedding term over ranks: gathers and term together give the loss and the gradient of
 * the whole batch on one rank, which every rank also computes for itself (and which
 * tests/unit/test_loss_terms.c holds against PyTorch). Two steps: what terms learn in the first
 * counts in the second, and stays equal on all ranks to the last bit. */
#include <math.h>
#include <string.h>

#include "mpi/batches.h"
#include "mpi/ranks.h"
#include "train/logit_gather.h"
#include "unit/term_options.h"
#include "unit/whole_batch.h"

enum { WIDTH = 19, STEPS = 2, TENSORS_MAX = 4 };

static const int64_t counts[BATCH_CLASSES] = {900, 400, 150, 60, 40, 19, 8, 3, 2};
static const elm_class_counts class_counts = {BATCH_CLASSES, counts, 1582};
static const char *term; /* at work, for messages */

/* A loss with the gathers that it asks for. */
typedef struct party {
    elm_loss *loss;
    elm_class_gather *gather;
    elm_logit_gather *logit_gather;
} party;

static party open_party(const elm_loss_options *options)
{
    static const elm_gather_mode mode_of[] = {[ELM_LOSS_LOCAL] = ELM_GATHER_NONE,
                                              [ELM_LOSS_SAME_CLASS] = ELM_GATHER_SLICES,
                                              [ELM_LOSS_EVERYTHING] = ELM_GATHER_ALL};
    party p = {0};
    elm_error err = {0};
    const int local = elm_partition_of(BATCH_MAX, elm_comm_size(comm), 0).local;
    check(elm_loss_create(&p.loss, options, class_counts, WIDTH, local, BATCH_MAX, &err) == 0);
    check(elm_class_gather_create_all(&p.gather, comm, mode_of[elm_loss_needs_of(p.loss).reach],
                                      WIDTH, BATCH_MAX, BATCH_CLASSES, &err) == 0);
    if (elm_loss_needs_of(p.loss).logits)
        check(elm_logit_gather_create_all(&p.logit_gather, comm, BATCH_MAX, BATCH_CLASSES, &err) ==
              0);
    return p;
}

static void close_party(party *p)
{
    elm_loss_destroy(p->loss);
    elm_class_gather_destroy(p->gather);
    elm_logit_gather_destroy(p->logit_gather);
}

/* This rank's share, with what the gathers bring; gradients [local] are added to. */
static double evaluate_share_all(party *p, const whole_batch *w, elm_partition share,
                                 float *embeddings_gradient, float *logits_gradient)
{
    elm_loss_batch batch = {
        .global = w->global,
        .images = w->global,
        .first = (int)share.first,
        .local = share.local,
        .width = WIDTH,
        .classes = BATCH_CLASSES,
        .global_labels = w->labels,
        .labels = w->labels + share.first,
        .embeddings = w->embeddings + share.first * WIDTH,
        .logits = w->logits + share.first * BATCH_CLASSES,
        .embeddings_gradient = embeddings_gradient,
        .logits_gradient = logits_gradient,
        .moment = w->moment,
    };
    elm_class_gather_post_all(p->gather, w->labels, share, batch.embeddings);
    if (p->logit_gather)
        elm_logit_gather_post_all(p->logit_gather, w->labels, share, batch.logits);
    const elm_gathered gathered = elm_class_gather_wait_all(p->gather);
    batch.remote = gathered.rows;
    batch.remote_labels = gathered.labels;
    batch.remote_position = gathered.position;
    batch.remote_embeddings = gathered.embeddings;
    if (p->logit_gather)
        elm_logit_gather_wait_all(p->logit_gather, &batch);
    const int64_t calls = elm_alloc_calls();
    const double loss = elm_loss_embeddings(p->loss, &batch).loss;
    check(elm_alloc_calls() == calls);
    return loss;
}

static void compare(const char *what, const float *found, const float *whole, int first, int count,
                    int all)
{
    double most = 0;
    for (int i = 0; i < all; i++)
        most = fmax(most, fabs((double)whole[i]));
    for (int i = 0; i < count; i++)
        if (!(fabs((double)found[i] - (double)whole[first + i]) <= 1e-5 * most)) {
            fprintf(stderr, "%s, gradient by %s %d of %d: %g, whole %g\n", term, what, first + i,
                    all, (double)found[i], (double)whole[first + i]);
            check(!"the gradient is the whole batch's");
        }
}

static void one_step(party *ranks, elm_loss *alone, const whole_batch *w)
{
    const elm_partition share =
        elm_partition_of(w->global, elm_comm_size(comm), elm_comm_rank(comm));
    float embeddings_gradient[BATCH_MAX * WIDTH] = {0},
                                          logits_gradient[BATCH_MAX * BATCH_CLASSES] = {0};
    seen_batch whole = see(w, elm_partition_of(w->global, 1, 0));
    const double expected = elm_loss_embeddings(alone, &whole.batch).loss;
    double loss = evaluate_share_all(ranks, w, share, embeddings_gradient, logits_gradient);
    elm_comm_sum_all(comm, &loss, 1);
    if (!(fabs(loss - expected) <= 1e-5 * fabs(expected) + 1e-12)) {
        fprintf(stderr, "%s, %d images: loss %.12g, whole %.12g\n", term, (int)w->global, loss,
                expected);
        check(!"the loss is the whole batch's");
    }
    compare("embedding", embeddings_gradient, whole.embeddings_gradient, (int)share.first * WIDTH,
            share.local * WIDTH, (int)w->global * WIDTH);
    compare("logit", logits_gradient, whole.logits_gradient, (int)share.first * BATCH_CLASSES,
            share.local * BATCH_CLASSES, (int)w->global * BATCH_CLASSES);
    forget_seen(&whole);
}

/* Equal on this rank and alone, and the largest and smallest over the ranks are the same. */
static void same_bits(elm_loss *a, elm_loss *b)
{
    elm_tensor of_a[TENSORS_MAX], of_b[TENSORS_MAX];
    const int count = elm_loss_tensors(a, of_a, TENSORS_MAX);
    check(count <= TENSORS_MAX && elm_loss_tensors(b, of_b, TENSORS_MAX) == count);
    for (int t = 0; t < count; t++) {
        double ends[2 * BATCH_CLASSES * WIDTH];
        const int values = (int)of_a[t].count;
        check(values <= BATCH_CLASSES * WIDTH);
        check(memcmp(of_a[t].data, of_b[t].data, (size_t)values * sizeof(float)) == 0);
        for (int i = 0; i < values; i++) {
            ends[2 * i] = (double)of_a[t].data[i];
            ends[2 * i + 1] = -(double)of_a[t].data[i];
        }
        elm_comm_max_all(comm, ends, 2 * values);
        for (int i = 0; i < values; i++)
            check(ends[2 * i] == -ends[2 * i + 1]);
    }
}

static void steps_of(const elm_loss_options *options, int64_t global, batch_kind kind,
                     uint32_t stream)
{
    int32_t labels[BATCH_MAX];
    float embeddings[BATCH_MAX * WIDTH], logits[BATCH_MAX * BATCH_CLASSES];
    elm_loss *alone;
    elm_error err = {0};
    party ranks = open_party(options);
    check(elm_loss_create(&alone, options, class_counts, WIDTH, BATCH_MAX, BATCH_MAX, &err) == 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        batch_labels(labels, global, kind, stream + step);
        pseudo_fill(embeddings, (size_t)(global * WIDTH), 50 + stream + step, 0.7F, 0.2F);
        pseudo_fill(logits, (size_t)(global * BATCH_CLASSES), 90 + stream + step, 3, 0);
        one_step(&ranks, alone,
                 &(whole_batch){global,
                                WIDTH,
                                BATCH_CLASSES,
                                labels,
                                embeddings,
                                logits,
                                {.passed = step, .length = STEPS + 1}});
        elm_loss_update(alone, 0.1);
        elm_loss_update(ranks.loss, 0.1);
        same_bits(alone, ranks.loss);
    }
    elm_loss_destroy(alone);
    close_party(&ranks);
}

static void tests(void)
{
    elm_loss_options options;
    for (int i = 0; term_setting(i, &term, &options); i++)
        for (int b = 0; b < BATCH_SIZES; b++)
            for (batch_kind kind = 0; kind < BATCH_KINDS; kind++)
                steps_of(&options, batch_sizes[b], kind, (uint32_t)(10 * b + (int)kind));
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "embedding terms", tests);
}
