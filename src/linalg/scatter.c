#include "linalg/scatter.h"

#include <math.h>

#include "elmpi/memory.h"

enum { BLOCK = 64 };

void elm_scatter_release_all(elm_scatter *s)
{
    elm_matrix_release(&s->within);
    elm_grid_destroy_all(s->square);
    elm_grid_destroy_all(s->tall);
    elm_free(s->means);
    *s = (elm_scatter){0};
}

static void find_means_all(elm_scatter *s)
{
    const elm_scatter_problem *p = s->problem;
    const size_t width = (size_t)s->width;
    for (int64_t i = 0; i < p->local; i++)
        for (size_t k = 0; k < width; k++)
            s->means[(size_t)p->labels[i] * width + k] +=
                (double)p->embeddings[(size_t)i * width + k];
    elm_comm_sum_all(s->comm, s->means, (int64_t)s->problem->classes * s->width);
    for (int c = 0; c < s->problem->classes; c++)
        for (size_t k = 0; k < width; k++)
            s->means[(size_t)c * width + k] /=
                s->problem->class_count[c] > 0 ? (double)s->problem->class_count[c] : 1;
}

static void center(const elm_scatter *s, const elm_matrix *centered)
{
    const elm_scatter_problem *p = s->problem;
    const size_t width = (size_t)s->width, rows = (size_t)centered->local_rows;
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < width; k++)
        for (size_t i = 0; i < rows; i++)
            centered->data[k * rows + i] =
                (double)p->embeddings[i * width + k] - s->means[(size_t)p->labels[i] * width + k];
}

static int find_within_all(elm_scatter *s, elm_error *err)
{
    const elm_scatter_problem *p = s->problem;
    elm_matrix centered = {0}, covariance = {0};
    int status = elm_matrix_create(&centered, s->tall, (int)p->count, s->width, (int)p->batch,
                                   s->width, err);
    if (status == 0)
        status =
            elm_matrix_create(&covariance, s->tall, s->width, s->width, s->block, s->block, err);
    if (status == 0)
        status =
            elm_matrix_create(&s->within, s->square, s->width, s->width, s->block, s->block, err);
    status = elm_comm_agree_all(s->comm, status, err);
    if (status == 0) {
        center(s, &centered);
        elm_matrix_squares_all(&centered, 1 / (double)p->count, &covariance);
        elm_matrix_copy_all(&covariance, &s->within, s->tall);
    }
    elm_matrix_release(&centered);
    elm_matrix_release(&covariance);
    return status;
}

int elm_scatter_create_all(elm_scatter *s, const elm_scatter_problem *p, elm_comm *comm,
                           elm_error *err)
{
    *s = (elm_scatter){
        .problem = p, .comm = comm, .width = p->width, .block = p->block > 0 ? p->block : BLOCK};
    s->means = elm_alloc((size_t)p->classes * (size_t)s->width, sizeof *s->means, err);
    if (elm_comm_agree_all(comm, s->means != NULL ? 0 : -1, err) != 0)
        return -1;
    if (elm_grid_create_all(&s->tall, comm, elm_comm_size(comm), 1, err) != 0 ||
        elm_grid_create_all(&s->square, comm, p->rows, p->columns, err) != 0)
        return -1;
    find_means_all(s);
    return find_within_all(s, err);
}

/* The trace of a matrix that is spread over the ranks. */
static double trace_all(const elm_scatter *s, const elm_matrix *m)
{
    double trace = 0;
    for (int k = 0; k < s->width; k++) {
        const double *cell = elm_matrix_cell(m, k, k);
        trace += cell != NULL ? *cell : 0;
    }
    elm_comm_sum_all(s->comm, &trace, 1);
    return trace;
}

int elm_scatter_shrink_all(const elm_scatter *s, const elm_matrix *m, elm_error *err)
{
    const double share = s->problem->epsilon * trace_all(s, m) / s->width;
    if (!(share > 0) || !isfinite(share))
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "embeddings of one class do not differ, so there is no covariance "
                             "within classes: use a checkpoint of a "
                             "trained network, or for "
                             "predictions the classifier ncm");
    for (int k = 0; k < s->width; k++) {
        double *cell = elm_matrix_cell(m, k, k);
        if (cell != NULL)
            *cell += share;
    }
    return 0;
}
