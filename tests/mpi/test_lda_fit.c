/* LDA over distributed embeddings: NumPy's values, for any number of ranks, process grid and
 * block; more dimensions than a block has; what cannot be solved is refused on every rank. */
#include <math.h>
#include <stdlib.h>

#include "analysis/spectrum.h"
#include "eval/classifiers/lda_fit.h"
#include "eval/forward_pass.h"
#include "golden/lda_golden.h"
#include "golden/pseudo.h"
#include "mpi/ranks.h"

static float golden_embedding(int i, int k)
{
    return k == 2 ? 0 : (float)((7 * i + 13 * k + 6 * i * k * k) % 17 - 8) / 4;
}

static int golden_label(int i)
{
    return i == 6 ? 4 : i % 5 ? i % 3 : 5;
}

static float hashed_embedding(int i, int k)
{
    return pseudo(1, (uint32_t)(i * 1000 + k)) + (float)(i % 4 == k % 4);
}

static int hashed_label(int i)
{
    return i % 4;
}

/* Images, and who says what they are. */
typedef struct images {
    int count, width, classes, batch;
    float (*embedding)(int i, int k);
    int (*label)(int i);
} images;

/* This rank's batches of them. */
static elm_embedding_set share_of(const images *all, int64_t *class_count)
{
    elm_embedding_set e = {.width = all->width};
    e.embeddings = calloc((size_t)all->count * (size_t)all->width, sizeof *e.embeddings);
    e.labels = calloc((size_t)all->count, sizeof *e.labels);
    check(e.embeddings != NULL && e.labels != NULL);
    for (int i = 0; i < all->count; i++) {
        class_count[all->label(i)]++;
        if (i / all->batch % elm_comm_size(comm) != elm_comm_rank(comm))
            continue;
        for (int k = 0; k < all->width; k++)
            e.embeddings[e.count * all->width + k] = all->embedding(i, k);
        e.labels[e.count++] = all->label(i);
    }
    return e;
}

/* Which problem on which grid. */
typedef struct layout {
    int rows, columns, block;
} layout;

static elm_scatter_problem problem_of(const images *all, const elm_embedding_set *e,
                                      const int64_t *class_count, double epsilon, layout on)
{
    return (elm_scatter_problem){.embeddings = e->embeddings,
                                 .labels = e->labels,
                                 .local = e->count,
                                 .width = e->width,
                                 .count = all->count,
                                 .batch = all->batch,
                                 .classes = all->classes,
                                 .class_count = class_count,
                                 .epsilon = epsilon,
                                 .rows = on.rows,
                                 .columns = on.columns,
                                 .block = on.block};
}

static int fit(const images *all, double epsilon, layout on, double *weights, double *bias,
               elm_error *err)
{
    int64_t class_count[16] = {0};
    elm_embedding_set e = share_of(all, class_count);
    const elm_scatter_problem problem = problem_of(all, &e, class_count, epsilon, on);
    const int status = elm_lda_fit_all(&problem, comm, weights, bias, err);
    free(e.embeddings);
    free(e.labels);
    return status;
}

static void check_golden(int rows, int columns, int block, int batch)
{
    const images all = {LDA_IMAGES, LDA_WIDTH, LDA_CLASSES, batch, golden_embedding, golden_label};
    double weights[LDA_CLASSES * LDA_WIDTH], bias[LDA_CLASSES], largest = 0;
    elm_error err = {0};
    check(fit(&all, lda_epsilon, (layout){rows, columns, block}, weights, bias, &err) == 0);
    for (int i = 0; i < LDA_CLASSES * LDA_WIDTH; i++)
        largest = fmax(largest, fabs(lda_weights[i]));
    for (int i = 0; i < LDA_CLASSES * LDA_WIDTH; i++)
        check(fabs(weights[i] - lda_weights[i]) <= 1e-6 * largest);
    for (int c = 0; c < LDA_CLASSES; c++)
        check(c == 3 ? isinf(bias[c]) && bias[c] < 0
                     : fabs(bias[c] - lda_bias[c]) <= 1e-6 * (1 + fabs(lda_bias[c])));
}

static void values_are_numpys_on_any_grid(void)
{
    static const int blocks[] = {0, 1, 3, 64}, batches[] = {4, 23, 64};
    const int size = elm_comm_size(comm);
    for (int b = 0; b < 4; b++)
        for (int n = 0; n < 3; n++)
            for (int rows = 0; rows <= size; rows++)
                if (rows == 0 || size % rows == 0)
                    check_golden(rows, rows ? size / rows : 0, blocks[b], batches[n]);
    if (size > 1)
        check_golden(1, size - 1, 2, 4); /* a rank without a place */
}

/* S w = mu, with S made here the plain way. */
static void larger_systems_are_solved(void)
{
    enum { COUNT = 301, WIDTH = 150, CLASSES = 4 };
    const images all = {COUNT, WIDTH, CLASSES, 16, hashed_embedding, hashed_label};
    double *weights = calloc(CLASSES * WIDTH, sizeof *weights),
           *shared = calloc((size_t)WIDTH * WIDTH, sizeof *shared);
    double mean[CLASSES][WIDTH] = {{0}}, bias[CLASSES], trace = 0;
    int count[CLASSES] = {0};
    elm_error err = {0};
    check(weights != NULL && shared != NULL);
    check(fit(&all, 1e-4, (layout){0}, weights, bias, &err) == 0);
    for (int i = 0; i < COUNT; i++) {
        count[hashed_label(i)]++;
        for (int k = 0; k < WIDTH; k++)
            mean[hashed_label(i)][k] += (double)hashed_embedding(i, k);
    }
    for (int c = 0; c < CLASSES; c++)
        for (int k = 0; k < WIDTH; k++)
            mean[c][k] /= count[c];
    for (int i = 0; i < COUNT; i++)
        for (int a = 0; a < WIDTH; a++)
            for (int b = 0; b < WIDTH; b++)
                shared[a * WIDTH + b] +=
                    ((double)hashed_embedding(i, a) - mean[hashed_label(i)][a]) *
                    ((double)hashed_embedding(i, b) - mean[hashed_label(i)][b]) / COUNT;
    for (int k = 0; k < WIDTH; k++)
        trace += shared[k * WIDTH + k];
    for (int c = 0; c < CLASSES; c++)
        for (int a = 0; a < WIDTH; a++) {
            double sum = 1e-4 * trace / WIDTH * weights[c * WIDTH + a];
            for (int b = 0; b < WIDTH; b++)
                sum += shared[a * WIDTH + b] * weights[c * WIDTH + b];
            check(fabs(sum - mean[c][a]) <= 1e-9);
        }
    free(weights);
    free(shared);
}

static void find_spectrum(const images *all, layout on, elm_spectrum *spectrum)
{
    int64_t class_count[16] = {0};
    elm_error err = {0};
    elm_embedding_set e = share_of(all, class_count);
    const elm_scatter_problem problem = problem_of(all, &e, class_count, 1e-4, on);
    check(elm_spectrum_find_all(spectrum, &problem, comm, &err) == 0);
    free(e.embeddings);
    free(e.labels);
}

static void check_close(double a, double b, double scale)
{
    check(fabs(a - b) <= 1e-6 * scale);
}

/* The principal eigenvalues add up to the variance, which is counted here the plain way. Grids
 * and blocks change nothing. */
static void spectra_are_the_same_on_any_grid(void)
{
    enum { COUNT = 301, WIDTH = 40, CLASSES = 4 };
    const images all = {COUNT, WIDTH, CLASSES, 16, hashed_embedding, hashed_label};
    const int size = elm_comm_size(comm);
    const layout layouts[] = {
        {size, 1, 3}, {1, size, 64}, {0, 0, 7}, {1, size > 1 ? size - 1 : 1, 5}};
    elm_spectrum first, other;
    double variance = 0, sum = 0;
    find_spectrum(&all, (layout){0}, &first);
    for (int k = 0; k < WIDTH; k++) {
        double mean = 0, square = 0;
        for (int i = 0; i < COUNT; i++) {
            mean += (double)hashed_embedding(i, k) / COUNT;
            square += (double)hashed_embedding(i, k) * (double)hashed_embedding(i, k) / COUNT;
        }
        variance += square - mean * mean;
        sum += first.principal[k];
        check(k == 0 || first.principal[k] <= first.principal[k - 1]);
        /* so many directions tell classes apart */
        check(k < CLASSES - 1 ? first.fisher[k] > 0 : first.fisher[k] == 0);
    }
    check_close(sum, variance, variance);
    check(first.collapse > 0);
    for (size_t l = 0; l < sizeof layouts / sizeof *layouts; l++) {
        find_spectrum(&all, layouts[l], &other);
        check_close(other.collapse, first.collapse, first.collapse);
        for (int k = 0; k < WIDTH; k++) {
            check_close(other.principal[k], first.principal[k], first.principal[0]);
            check_close(other.fisher[k], first.fisher[k], first.fisher[0]);
            for (int a = 0; a < ELM_AXES; a++)
                check_close(other.axes[a * WIDTH + k], first.axes[a * WIDTH + k], 1);
        }
        elm_spectrum_release(&other);
    }
    elm_spectrum_release(&first);
}

static float constant_embedding(int i, int k)
{
    (void)i;
    return (float)k;
}

static void nothing_to_tell_apart_is_refused(void)
{
    const images all = {12, 3, 4, 4, constant_embedding, hashed_label};
    double weights[12], bias[4];
    elm_error err = {0};
    check(fit(&all, 1e-4, (layout){0}, weights, bias, &err) == -1);
    check(err.code == ELM_EXIT_FAILURE);
    check(fit(&all, 1e-4, (layout){elm_comm_size(comm) + 1, 1, 0}, weights, bias, &err) == -1);
}

static void tests(void)
{
    const int64_t live = elm_alloc_live();
    values_are_numpys_on_any_grid();
    larger_systems_are_solved();
    spectra_are_the_same_on_any_grid();
    nothing_to_tell_apart_is_refused();
    check(elm_alloc_live() == live);
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "linear discriminant analysis", tests);
}
