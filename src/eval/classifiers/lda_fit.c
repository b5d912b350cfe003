#include "eval/classifiers/lda_fit.h"

#include <math.h>
#include <string.h>

/* Every rank writes down what it holds of the solutions; their sum over the ranks is all of
 * them. */
static void spread_all(const elm_scatter *s, const elm_matrix *solved, double *weights,
                       double *bias)
{
    const int classes = s->problem->classes;
    const size_t width = (size_t)s->width;
    memset(weights, 0, (size_t)classes * width * sizeof *weights);
    for (int c = 0; c < classes; c++)
        for (int k = 0; k < s->width; k++) {
            const double *cell = elm_matrix_cell(solved, k, c);
            if (cell != NULL)
                weights[(size_t)c * width + (size_t)k] = *cell;
        }
    elm_comm_sum_all(s->comm, weights, (int64_t)classes * s->width);
    for (int c = 0; c < classes; c++) {
        double product = 0;
        for (size_t k = 0; k < width; k++)
            product += s->means[(size_t)c * width + k] * weights[(size_t)c * width + k];
        bias[c] = s->problem->class_count[c] > 0 ? -product / 2 : -INFINITY;
    }
}

/* S^-1 mu for all classes at once. */
static int solve_all(const elm_scatter *s, const elm_matrix *solved, elm_error *err)
{
    for (int c = 0; c < s->problem->classes; c++)
        for (int k = 0; k < s->width; k++) {
            double *cell = elm_matrix_cell(solved, k, c);
            if (cell != NULL)
                *cell = s->means[(size_t)c * (size_t)s->width + (size_t)k];
        }
    if (elm_scatter_shrink_all(s, &s->within, err) != 0) /* the same everywhere */
        return -1;
    return elm_comm_agree_all(s->comm, elm_matrix_solve_all(&s->within, solved, err), err);
}

int elm_lda_fit_all(const elm_scatter_problem *problem, elm_comm *comm, double *weights,
                    double *bias, elm_error *err)
{
    elm_scatter s;
    elm_matrix solved = {0};
    int status = elm_scatter_create_all(&s, problem, comm, err);
    if (status == 0)
        status = elm_comm_agree_all(
            comm,
            elm_matrix_create(&solved, s.square, s.width, problem->classes, s.block, s.block, err),
            err);
    if (status == 0)
        status = solve_all(&s, &solved, err);
    if (status == 0)
        spread_all(&s, &solved, weights, bias);
    elm_matrix_release(&solved);
    elm_scatter_release_all(&s);
    return status;
}
