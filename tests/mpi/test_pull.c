/* The pull term over ranks: class gather and loss together give the loss and the gradient of the
 * whole batch on one rank, which every rank also computes for itself, by brute force in double. */
#include <stdlib.h>
#include <string.h>

#include "comm/class_gather.h"
#include "elmpi/loss.h"
#include "mpi/batches.h"
#include "mpi/ranks.h"

enum { WIDTH = 19 };

static const int64_t counts[BATCH_CLASSES] = {900, 400, 150, 60, 40, 19, 8, 3, 2};
enum { TOTAL = 1582 };

typedef struct setting {
    const char *alpha;
    double lambda;
    bool normalize;
} setting;

static const setting settings[] = {
    {"sqrt-n", 0.01, false},
    {"sqrt-pi", 1, false}, /* strong: a missing gradient of another rank's anchors shows */
    {"sqrt-pi", 1, true},
};
enum { SETTINGS = sizeof settings / sizeof settings[0] };

typedef struct whole {
    double loss, gradient[BATCH_MAX * WIDTH];
} whole;

static double alpha_of(const setting *s, int32_t label)
{
    return sqrt(strcmp(s->alpha, "sqrt-n") == 0 ? (double)counts[label]
                                                : (double)counts[label] / TOTAL);
}

static void unit_rows(const float *x, int64_t global, bool normalize, double *u, double *length)
{
    for (int64_t i = 0; i < global; i++) {
        double sum = 0;
        for (int k = 0; k < WIDTH; k++)
            sum += (double)x[i * WIDTH + k] * (double)x[i * WIDTH + k];
        length[i] = normalize ? sqrt(sum) : 1;
        for (int k = 0; k < WIDTH; k++)
            u[i * WIDTH + k] = (double)x[i * WIDTH + k] / length[i];
    }
}

/* Each anchor's term, and what it says to both ends of each of its pairs. Distances stay small
 * enough here for a plain exponential. */
static void add_anchor(const setting *s, const int32_t *labels, const double *u, int64_t global,
                       int64_t i, whole *w)
{
    static double e[BATCH_MAX];
    double sum = 1;
    for (int64_t j = 0; j < global; j++) {
        double d = 0;
        for (int k = 0; k < WIDTH; k++)
            d += (u[i * WIDTH + k] - u[j * WIDTH + k]) * (u[i * WIDTH + k] - u[j * WIDTH + k]);
        e[j] = j != i && labels[j] == labels[i] ? exp(d - alpha_of(s, labels[i])) : 0;
        sum += e[j];
    }
    w->loss += s->lambda * log(sum) / (double)global;
    for (int64_t j = 0; j < global; j++)
        for (int k = 0; k < WIDTH; k++) {
            const double g =
                2 * s->lambda / (double)global * e[j] / sum * (u[i * WIDTH + k] - u[j * WIDTH + k]);
            w->gradient[i * WIDTH + k] += g;
            w->gradient[j * WIDTH + k] -= g;
        }
}

static void brute_force(const setting *s, const int32_t *labels, const float *embeddings,
                        int64_t global, whole *w)
{
    static double u[BATCH_MAX * WIDTH], length[BATCH_MAX];
    memset(w, 0, sizeof *w);
    unit_rows(embeddings, global, s->normalize, u, length);
    for (int64_t i = 0; i < global; i++)
        add_anchor(s, labels, u, global, i, w);
    for (int64_t i = 0; i < global && s->normalize; i++) {
        double along = 0;
        for (int k = 0; k < WIDTH; k++)
            along += w->gradient[i * WIDTH + k] * u[i * WIDTH + k];
        for (int k = 0; k < WIDTH; k++)
            w->gradient[i * WIDTH + k] =
                (w->gradient[i * WIDTH + k] - along * u[i * WIDTH + k]) / length[i];
    }
}

static double largest(const whole *w, int64_t global)
{
    double most = 0;
    for (int64_t i = 0; i < global * WIDTH; i++)
        most = fmax(most, fabs(w->gradient[i]));
    return most;
}

/* What a rank computes with these remote rows: the loss of all ranks, and the worst error of any
 * rank's gradient, both relative. */
typedef struct errors {
    double loss, gradient;
} errors;

static errors evaluate(elm_loss *loss, const int32_t *labels, const float *embeddings,
                       elm_partition share, elm_gathered remote, const whole *w)
{
    static float gradient[BATCH_MAX * WIDTH];
    memset(gradient, 0, sizeof gradient);
    const elm_loss_batch batch = {.global = share.global,
                                  .local = share.local,
                                  .remote = remote.rows,
                                  .width = WIDTH,
                                  .classes = BATCH_CLASSES,
                                  .labels = labels + share.first,
                                  .embeddings = embeddings + share.first * WIDTH,
                                  .remote_labels = remote.labels,
                                  .remote_embeddings = remote.embeddings,
                                  .embeddings_gradient = gradient};
    double sum = elm_loss_embeddings(loss, &batch).loss, worst = 0;
    for (int i = 0; i < share.local * WIDTH; i++)
        worst = fmax(worst, fabs((double)gradient[i] - w->gradient[share.first * WIDTH + i]));
    elm_comm_sum_all(comm, &sum, 1);
    elm_comm_max_all(comm, &worst, 1);
    return (errors){fabs(sum - w->loss) / (w->loss + 1e-30),
                    worst / (largest(w, share.global) + 1e-30)};
}

/* True when the batch has a class on two ranks. */
static bool is_spread(const int32_t *labels, int64_t global)
{
    int owner[BATCH_CLASSES];
    for (int c = 0; c < BATCH_CLASSES; c++)
        owner[c] = -1;
    for (int r = 0; r < elm_comm_size(comm); r++) {
        const elm_partition share = elm_partition_of(global, elm_comm_size(comm), r);
        for (int64_t i = share.first; i < share.first + share.local; i++) {
            if (owner[labels[i]] >= 0 && owner[labels[i]] != r)
                return true;
            owner[labels[i]] = r;
        }
    }
    return false;
}

static void one_batch(elm_loss *loss, elm_class_gather *gather, const setting *s, int64_t global,
                      batch_kind kind, uint32_t stream)
{
    static whole w;
    int32_t labels[BATCH_MAX];
    float embeddings[BATCH_MAX * WIDTH];
    const elm_partition share = elm_partition_of(global, elm_comm_size(comm), elm_comm_rank(comm));
    batch_labels(labels, global, kind, stream);
    pseudo_fill(embeddings, (size_t)(global * WIDTH), 50 + stream, 0.7F, 0);
    brute_force(s, labels, embeddings, global, &w);
    elm_class_gather_post_all(gather, labels, share, embeddings + share.first * WIDTH);
    const errors e =
        evaluate(loss, labels, embeddings, share, elm_class_gather_wait_all(gather), &w);
    check(e.loss <= 1e-5);
    check(e.gradient <= 1e-5);
    /* The same without the other ranks' rows is wrong: so this test would notice if they, or
     * their anchors' gradients, were missing. */
    const errors blind = evaluate(loss, labels, embeddings, share, (elm_gathered){0}, &w);
    if (is_spread(labels, global))
        check(blind.loss > 1e-3 && blind.gradient > 1e-2);
    else
        check(blind.loss <= 1e-5 && blind.gradient <= 1e-5);
}

static void every_batch(const setting *s, elm_gather_mode mode)
{
    elm_loss_options options = {.logit = "ce",
                                .embed = "pull",
                                .lambda = s->lambda,
                                .pull_scale = 1,
                                .pull_normalize = s->normalize};
    elm_loss *loss = NULL;
    elm_class_gather *gather = NULL;
    elm_error err = {0};
    uint32_t stream = 0;
    snprintf(options.pull_alpha, sizeof options.pull_alpha, "%s", s->alpha);
    const int local = elm_partition_of(BATCH_MAX, elm_comm_size(comm), 0).local;
    check(elm_loss_create(&loss, &options, (elm_class_counts){BATCH_CLASSES, counts, TOTAL}, WIDTH,
                          local, BATCH_MAX, &err) == 0);
    check(elm_class_gather_create_all(&gather, comm, mode, WIDTH, BATCH_MAX, BATCH_CLASSES, &err) ==
          0);
    for (int b = 0; b < BATCH_SIZES; b++)
        for (batch_kind kind = 0; kind < BATCH_KINDS; kind++)
            one_batch(loss, gather, s, batch_sizes[b], kind, stream++);
    elm_class_gather_destroy(gather);
    elm_loss_destroy(loss);
}

static void tests(void)
{
    for (int s = 0; s < SETTINGS; s++) {
        every_batch(&settings[s], ELM_GATHER_SLICES);
        every_batch(&settings[s], ELM_GATHER_ALL);
    }
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "the pull term", tests);
}
