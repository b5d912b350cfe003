/* The embeddings stay where they were computed: batch b lies on rank b % size, which is a block-cyclic matrix on a grid of one column whose
 * blocks are batches. The covariance, square and smaller, then moves to a grid as square as the ranks allow, where the Cholesky
 * factorisation and the solves are evenly shared. */
#include "eval/lda_fit.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "elmpi/memory.h"
#include "eval/matrix.h"

enum { BLOCK = 64 };

/* Everything under way. */
typedef struct fit {
    const elm_lda_problem *problem;
    elm_comm *comm;
    int width, block;
    double *means; /* [classes][width] */
    elm_grid *tall, *square;
    elm_matrix centred;    /* [images][width] on the tall grid */
    elm_matrix covariance; /* [width][width] there */
    elm_matrix shared;     /* the same on the square one */
    elm_matrix solved;     /* [width][classes] */
} fit;

static void release_all(fit *f)
{
    elm_matrix *const matrices[] = {&f->centred, &f->covariance, &f->shared, &f->solved};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        elm_matrix_release(matrices[i]);
    elm_grid_destroy_all(f->square);
    elm_grid_destroy_all(f->tall);
    elm_free(f->means);
}

static int create_all(fit *f, elm_error *err)
{
    const elm_lda_problem *p = f->problem;
    const size_t cells = (size_t)p->classes * (size_t)f->width;
    if (elm_comm_agree_all(f->comm, (f->means = elm_alloc(cells, sizeof *f->means, err)) != NULL ? 0 : -1, err) != 0)
        return -1;
    if (elm_grid_create_all(&f->tall, f->comm, elm_comm_size(f->comm), 1, err) != 0 ||
        elm_grid_create_all(&f->square, f->comm, p->rows, p->columns, err) != 0)
        return -1;
    int status = elm_matrix_create(&f->centred, f->tall, (int)p->count, f->width, (int)p->batch, f->width, err);
    if (status == 0)
        status = elm_matrix_create(&f->covariance, f->tall, f->width, f->width, f->block, f->block, err);
    if (status == 0)
        status = elm_matrix_create(&f->shared, f->square, f->width, f->width, f->block, f->block, err);
    if (status == 0)
        status = elm_matrix_create(&f->solved, f->square, f->width, p->classes, f->block, f->block, err);
    return elm_comm_agree_all(f->comm, status, err);
}

static void find_means_all(fit *f)
{
    const elm_embedded *e = f->problem->embedded;
    const size_t width = (size_t)f->width;
    for (int64_t i = 0; i < e->count; i++)
        for (size_t k = 0; k < width; k++)
            f->means[(size_t)e->labels[i] * width + k] += (double)e->embeddings[(size_t)i * width + k];
    elm_comm_sum_all(f->comm, f->means, (int64_t)f->problem->classes * f->width);
    for (int c = 0; c < f->problem->classes; c++)
        for (size_t k = 0; k < width; k++)
            f->means[(size_t)c * width + k] /= f->problem->class_count[c] > 0 ? (double)f->problem->class_count[c] : 1;
}

static void centre(fit *f)
{
    const elm_embedded *e = f->problem->embedded;
    const size_t width = (size_t)f->width, rows = (size_t)f->centred.local_rows;
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < width; k++)
        for (size_t i = 0; i < rows; i++)
            f->centred.data[k * rows + i] = (double)e->embeddings[i * width + k] - f->means[(size_t)e->labels[i] * width + k];
}

/* The trace of a matrix that is spread over the ranks. */
static double trace_all(const fit *f, const elm_matrix *m)
{
    double trace = 0;
    for (int k = 0; k < f->width; k++) {
        const double *cell = elm_matrix_cell(m, k, k);
        trace += cell != NULL ? *cell : 0;
    }
    elm_comm_sum_all(f->comm, &trace, 1);
    return trace;
}

/* Dead embedding dimensions make S singular: a share of its mean variance goes on the diagonal. */
static int shrink_all(const fit *f, elm_error *err)
{
    const double share = f->problem->epsilon * trace_all(f, &f->shared) / f->width;
    if (!(share > 0) || !isfinite(share))
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "embeddings of one class do not differ, so there is no covariance (lda): use ncm, or a checkpoint of a trained network");
    for (int k = 0; k < f->width; k++) {
        double *cell = elm_matrix_cell(&f->shared, k, k);
        if (cell != NULL)
            *cell += share;
    }
    return 0;
}

/* Every rank writes down what it holds of the solutions; their sum over the ranks is all of them. */
static void spread_all(const fit *f, double *weights, double *bias)
{
    const int classes = f->problem->classes;
    const size_t width = (size_t)f->width;
    memset(weights, 0, (size_t)classes * width * sizeof *weights);
    for (int c = 0; c < classes; c++)
        for (int k = 0; k < f->width; k++) {
            const double *cell = elm_matrix_cell(&f->solved, k, c);
            if (cell != NULL)
                weights[(size_t)c * width + (size_t)k] = *cell;
        }
    elm_comm_sum_all(f->comm, weights, (int64_t)classes * f->width);
    for (int c = 0; c < classes; c++) {
        double product = 0;
        for (size_t k = 0; k < width; k++)
            product += f->means[(size_t)c * width + k] * weights[(size_t)c * width + k];
        bias[c] = f->problem->class_count[c] > 0 ? -product / 2 : -INFINITY;
    }
}

static int solve_all(fit *f, elm_error *err)
{
    find_means_all(f);
    centre(f);
    elm_matrix_squares_all(&f->centred, 1 / (double)f->problem->count, &f->covariance);
    elm_matrix_copy_all(&f->covariance, &f->shared, f->tall);
    for (int c = 0; c < f->problem->classes; c++)
        for (int k = 0; k < f->width; k++) {
            double *cell = elm_matrix_cell(&f->solved, k, c);
            if (cell != NULL)
                *cell = f->means[(size_t)c * (size_t)f->width + (size_t)k];
        }
    if (shrink_all(f, err) != 0) /* the same everywhere */
        return -1;
    return elm_comm_agree_all(f->comm, elm_matrix_solve_all(&f->shared, &f->solved, err), err);
}

int elm_lda_fit_all(const elm_lda_problem *problem, elm_comm *comm, double *weights, double *bias, elm_error *err)
{
    fit f = {.problem = problem, .comm = comm, .width = problem->embedded->width, .block = problem->block > 0 ? problem->block : BLOCK};
    int status = create_all(&f, err);
    if (status == 0)
        status = solve_all(&f, err);
    if (status == 0)
        spread_all(&f, weights, bias);
    release_all(&f);
    return status;
}
