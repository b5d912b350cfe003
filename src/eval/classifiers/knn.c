/* knn: the class that most of the k nearest training embeddings have, the lower one on ties;
 * equally near ones go by their place in the training set. Exact. No rank holds more than its
 * share of the training embeddings: queries go round, each rank finds the nearest of its share,
 * and the nearest of all are among these. */
#include <math.h>
#include <string.h>

#include "base/cpu/vectors.h"
#include "elmpi/memory.h"
#include "eval/classifiers/rows.h"
#include "eval/forward_pass.h"

enum { ROUND = 512 }; /* queries at a time */

/* A training image as seen from a query. */
typedef struct neighbor {
    double distance;
    double member, label; /* whole numbers: they travel with the distance */
} neighbor;

typedef struct knn {
    int width, classes;
    int64_t k; /* no more than training images */
    bool cosine;
    elm_comm *comm;
    elm_embedding_set train, test;
    double *norm;   /* [train.count] lengths of training embeddings */
    float *queries; /* [ROUND][width] */
    neighbor *mine; /* [ROUND][k] nearest of this rank's share */
    neighbor *all;  /* [size][ROUND][k] */
    int64_t *votes; /* [classes] */
} knn;

static double length_of(const float *x, int width)
{
    return sqrt(elm_vectors()->dot(x, x, width));
}

static double distance_of(const knn *n, const float *query, double length, int64_t i)
{
    const float *x = n->train.embeddings + (size_t)i * (size_t)n->width;
    if (!n->cosine)
        return elm_vectors()->square_distance(query, x, n->width);
    return length > 0 && n->norm[i] > 0
               ? 1 - elm_vectors()->dot(query, x, n->width) / (length * n->norm[i])
               : 1;
}

static bool nearer(const neighbor *a, const neighbor *b)
{
    return a->distance < b->distance || (a->distance == b->distance && a->member < b->member);
}

/* Keeps the list sorted, nearest first. */
static void insert(neighbor *list, int64_t k, neighbor found)
{
    if (!nearer(&found, &list[k - 1]))
        return;
    int64_t at = k - 1;
    for (; at > 0 && nearer(&found, &list[at - 1]); at--)
        list[at] = list[at - 1];
    list[at] = found;
}

static void clear(neighbor *list, int64_t k)
{
    for (int64_t i = 0; i < k; i++)
        list[i] = (neighbor){INFINITY, INFINITY, -1};
}

static void search(const knn *n, int q)
{
    const float *query = n->queries + (size_t)q * (size_t)n->width;
    const double length = length_of(query, n->width);
    neighbor *list = n->mine + (size_t)q * (size_t)n->k;
    clear(list, n->k);
    for (int64_t i = 0; i < n->train.count; i++)
        insert(list, n->k,
               (neighbor){distance_of(n, query, length, i), (double)n->train.members[i],
                          (double)n->train.labels[i]});
}

static int vote(const knn *n, const neighbor *list)
{
    int best = 0;
    memset(n->votes, 0, (size_t)n->classes * sizeof *n->votes);
    for (int64_t i = 0; i < n->k; i++)
        n->votes[(int)list[i].label]++;
    for (int c = 1; c < n->classes; c++)
        best = n->votes[c] > n->votes[best] ? c : best;
    return best;
}

/* The candidates of all ranks: sums over ranks, each entry set by one rank only. */
static void exchange_all(const knn *n, int count)
{
    const size_t part = (size_t)ROUND * (size_t)n->k, rank = (size_t)elm_comm_rank(n->comm),
                 size = (size_t)elm_comm_size(n->comm);
    memset(n->all, 0, size * part * sizeof *n->all);
    memcpy(n->all + rank * part, n->mine, (size_t)count * (size_t)n->k * sizeof *n->all);
    elm_comm_sum_all(n->comm, (double *)n->all, (int64_t)(size * part * 3));
}

static int merge(const knn *n, int q)
{
    neighbor *list = n->mine + (size_t)q * (size_t)n->k;
    clear(list, n->k);
    for (int r = 0; r < elm_comm_size(n->comm); r++)
        for (int64_t i = 0; i < n->k; i++)
            insert(list, n->k, n->all[((size_t)r * ROUND + (size_t)q) * (size_t)n->k + (size_t)i]);
    return vote(n, list);
}

/* Queries first .. first + count of the rank whose turn it is. Every rank counts nothing but its
 * own queries. */
static void round_all(knn *n, int owner, int64_t first, int count, elm_recall_counts *tally)
{
    const bool own = elm_comm_rank(n->comm) == owner;
    const size_t width = (size_t)n->width;
    memset(n->queries, 0, ROUND * width * sizeof *n->queries);
    if (own)
        memcpy(n->queries, n->test.embeddings + (size_t)first * width,
               (size_t)count * width * sizeof *n->queries);
    elm_comm_sum_floats_all(n->comm, n->queries, (int64_t)((size_t)count * width));
#pragma omp parallel for schedule(static)
    for (int q = 0; q < count; q++)
        search(n, q);
    exchange_all(n, count);
    for (int q = 0; q < count && own; q++)
        if (n->test.unreadable[first + q])
            elm_recall_counts_add_unreadable(tally, n->test.labels[first + q]);
        else
            elm_recall_counts_add(tally, n->test.labels[first + q], merge(n, q));
}

static void rounds_all(knn *n, elm_recall_counts *tally)
{
    elm_ticker_begin(elm_comm_ticker(n->comm), "nearest neighbors", 0);
    for (int owner = 0; owner < elm_comm_size(n->comm); owner++) {
        double total = elm_comm_rank(n->comm) == owner ? (double)n->test.count : 0;
        elm_comm_max_all(n->comm, &total, 1);
        for (int64_t first = 0; first < (int64_t)total; first += ROUND)
            round_all(n, owner, first,
                      (int64_t)total - first < ROUND ? (int)((int64_t)total - first) : ROUND,
                      tally);
    }
    elm_ticker_end(elm_comm_ticker(n->comm));
    elm_comm_sum_counts_all(n->comm, tally->tested, 2 * (int64_t)n->classes);
    elm_comm_sum_counts_all(n->comm, &tally->unreadable, 1);
}

static int allocate(knn *n, elm_error *err)
{
    const size_t k = (size_t)n->k, size = (size_t)elm_comm_size(n->comm);
    const elm_need needs[] = {
        {&n->norm, (size_t)n->train.count, sizeof *n->norm},
        {&n->queries, ROUND * (size_t)n->width, sizeof *n->queries},
        {&n->mine, ROUND * k, sizeof *n->mine},
        {&n->all, size * ROUND * k, sizeof *n->all},
        {&n->votes, (size_t)n->classes, sizeof *n->votes},
    };
    if (elm_alloc_each(needs, sizeof needs / sizeof *needs, err) != 0)
        return -1;
    for (int64_t i = 0; i < n->train.count; i++)
        n->norm[i] = length_of(n->train.embeddings + (size_t)i * (size_t)n->width, n->width);
    return 0;
}

int elm_knn_count_all(const elm_classifier_input *input, elm_recall_counts *tally, elm_error *err)
{
    knn n = {.width = elm_net_width(input->net),
             .classes = input->test->info.classes,
             .k = input->settings->k < input->train->count ? input->settings->k
                                                           : input->train->count,
             .cosine = input->settings->cosine,
             .comm = input->comm};
    int status = elm_embed_all(input->net, input->train, input->comm, NULL, &n.train, err);
    if (status == 0)
        status = elm_embed_all(input->net, input->test, input->comm, input->log, &n.test, err);
    if (status == 0)
        status = elm_comm_agree_all(
            input->comm,
            elm_recall_counts_create(tally, n.classes, err) != 0 ? -1 : allocate(&n, err), err);
    if (status == 0)
        tally->omits = input->test->encoded != NULL && input->test->encoded->omits_unreadable;
    if (status == 0 && n.votes != NULL)
        rounds_all(&n, tally);
    else
        elm_recall_counts_release(tally);
    elm_embedding_set_release(&n.train);
    elm_embedding_set_release(&n.test);
    void *all[] = {n.norm, n.queries, n.mine, n.all, n.votes};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    return status;
}
