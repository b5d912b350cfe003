#include "analysis/spectrum.h"

#include <math.h>
#include <stdbool.h>

#include "elmpi/memory.h"

/* Eigenvalues below this share of the largest are rounding. */
static const double negligible = 1e-10;

/* Everything under way; all [width][width] on the square grid. */
typedef struct work {
    const elm_scatter *scatter;
    elm_matrix a, vectors, product;
    double *values; /* [width], ascending */
} work;

static int create_work(work *w, const elm_scatter *s, elm_error *err)
{
    elm_matrix *const matrices[] = {&w->a, &w->vectors, &w->product};
    w->scatter = s;
    w->values = elm_alloc((size_t)s->width, sizeof *w->values, err);
    int status = w->values != NULL ? 0 : -1;
    for (size_t i = 0; status == 0 && i < sizeof matrices / sizeof *matrices; i++)
        status =
            elm_matrix_create(matrices[i], s->square, s->width, s->width, s->block, s->block, err);
    return status;
}

static void release_work(work *w)
{
    elm_matrix *const matrices[] = {&w->a, &w->vectors, &w->product};
    for (size_t i = 0; i < sizeof matrices / sizeof *matrices; i++)
        elm_matrix_release(matrices[i]);
    elm_free(w->values);
}

static int count_present(const elm_scatter_problem *p)
{
    int present = 0;
    for (int c = 0; c < p->classes; c++)
        present += p->class_count[c] > 0;
    return present;
}

/* This rank's rows sqrt(weight) (mu_c - m), with m the mean of the same weights: class means
 * balanced (1/L), or as often as their images (n_c/N); 0 for a class without any. `weights`
 * [classes], `mean` [width] are work space. */
static void center_means(const elm_scatter *s, bool balanced, const elm_matrix *rows,
                         double *weights, double *mean)
{
    const size_t width = (size_t)s->width;
    const int64_t *count = s->problem->class_count;
    const int present = count_present(s->problem);
    for (int c = 0; c < s->problem->classes; c++) {
        weights[c] = !balanced      ? (double)count[c] / (double)s->problem->count
                     : count[c] > 0 ? 1.0 / present
                                    : 0;
        for (size_t k = 0; k < width; k++)
            mean[k] += weights[c] * s->means[(size_t)c * width + k];
    }
    for (int c = 0; c < s->problem->classes; c++)
        for (size_t k = 0; k < width; k++) {
            double *cell = elm_matrix_cell(rows, c, (int)k);
            if (cell != NULL)
                *cell = sqrt(weights[c]) * (s->means[(size_t)c * width + k] - mean[k]);
        }
}

/* w->a = sum over the classes of weight (mu_c - m)(mu_c - m)^T, its lower half. */
static int scatter_means_all(const work *w, bool balanced, elm_error *err)
{
    const elm_scatter *s = w->scatter;
    const int classes = s->problem->classes;
    elm_matrix rows = {0}, sums = {0};
    double *space = elm_alloc((size_t)classes + (size_t)s->width, sizeof *space, err);
    int status = space != NULL
                     ? elm_matrix_create(&rows, s->tall, classes, s->width, s->block, s->width, err)
                     : -1;
    if (status == 0)
        status = elm_matrix_create(&sums, s->tall, s->width, s->width, s->block, s->block, err);
    status = elm_comm_agree_all(s->comm, status, err);
    if (status == 0 && space != NULL) {
        center_means(s, balanced, &rows, space, space + classes);
        elm_matrix_squares_all(&rows, 1, &sums);
        elm_matrix_copy_all(&sums, &w->a, s->tall);
    }
    elm_matrix_release(&rows);
    elm_matrix_release(&sums);
    elm_free(space);
    return status;
}

/* Eigenvalues of w->a, on all ranks, and eigenvectors. */
static int solve_all(const work *w, elm_error *err)
{
    const elm_scatter *s = w->scatter;
    if (elm_comm_agree_all(s->comm, elm_matrix_eigen_all(&w->a, w->values, &w->vectors, err),
                           err) != 0)
        return -1;
    /* ranks outside the grid have none */
    elm_comm_broadcast_all(s->comm, w->values, (size_t)s->width * sizeof *w->values);
    return 0;
}

/* The largest first; what is rounding becomes 0. */
static void take_descending(const work *w, double *to)
{
    const int width = w->scatter->width;
    for (int k = 0; k < width; k++) {
        const double value = w->values[width - 1 - k];
        to[k] = value > negligible * w->values[width - 1] ? value : 0;
    }
}

/* The eigenvectors of the largest eigenvalues, on all ranks, turned so that their largest
 * entries are positive. */
static void take_axes_all(const work *w, double *axes)
{
    const int width = w->scatter->width;
    for (int a = 0; a < ELM_AXES && a < width; a++)
        for (int k = 0; k < width; k++) {
            const double *cell = elm_matrix_cell(&w->vectors, k, width - 1 - a);
            axes[(size_t)a * (size_t)width + (size_t)k] = cell != NULL ? *cell : 0;
        }
    elm_comm_sum_all(w->scatter->comm, axes, (int64_t)ELM_AXES * width);
    for (int a = 0; a < ELM_AXES; a++) {
        double *axis = axes + (size_t)a * (size_t)width, largest = 0;
        for (int k = 0; k < width; k++)
            largest = fabs(axis[k]) > fabs(largest) + 1e-9 ? axis[k] : largest;
        for (int k = 0; k < width; k++)
            axis[k] = largest < 0 ? -axis[k] : axis[k];
    }
}

static int find_principal_all(const work *w, elm_spectrum *out, elm_error *err)
{
    if (scatter_means_all(w, false, err) != 0)
        return -1;
    elm_matrix_add(&w->scatter->within, &w->a);
    if (solve_all(w, err) != 0)
        return -1;
    take_descending(w, out->principal);
    take_axes_all(w, out->axes);
    return 0;
}

/* tr(S_w S_b^+) = sum over eigenvectors v of S_b with lambda > 0 of v^T S_w v / lambda. */
static int find_collapse_all(const work *w, elm_spectrum *out, elm_error *err)
{
    const elm_scatter *s = w->scatter;
    if (scatter_means_all(w, true, err) != 0 || solve_all(w, err) != 0)
        return -1;
    elm_matrix_symmetric_product_all(&s->within, &w->vectors, &w->product);
    double sum = 0;
    for (int column = 0; column < s->width; column++) {
        if (w->values[column] <= negligible * w->values[s->width - 1])
            continue;
        for (int k = 0; k < s->width; k++) {
            const double *v = elm_matrix_cell(&w->vectors, k, column),
                         *product = elm_matrix_cell(&w->product, k, column);
            sum += v != NULL && product != NULL ? *v * *product / w->values[column] : 0;
        }
    }
    elm_comm_sum_all(s->comm, &sum, 1);
    out->collapse = sum / s->problem->classes;
    return 0;
}

/* With S_w = L L^T this is the spectrum of L^-1 S_b L^-T. Destroys S_w, so it comes last. */
static int find_fisher_all(const work *w, elm_spectrum *out, elm_error *err)
{
    const elm_scatter *s = w->scatter;
    if (scatter_means_all(w, true, err) != 0 || elm_scatter_shrink_all(s, &s->within, err) != 0)
        return -1;
    if (elm_comm_agree_all(s->comm, elm_matrix_reduce_all(&w->a, &s->within, err), err) != 0 ||
        solve_all(w, err) != 0)
        return -1;
    take_descending(w, out->fisher);
    return 0;
}

int elm_spectrum_find_all(elm_spectrum *out, const elm_scatter_problem *problem, elm_comm *comm,
                          elm_error *err)
{
    elm_scatter s;
    work w = {0};
    const size_t width = (size_t)problem->width;
    *out = (elm_spectrum){.width = (int)width,
                          .memory = elm_alloc((2 + ELM_AXES) * width, sizeof(double), err)};
    out->principal = out->memory;
    out->fisher = out->principal + width;
    out->axes = out->fisher + width;
    int status = elm_comm_agree_all(comm, out->memory != NULL ? 0 : -1, err);
    if (status != 0 || out->memory == NULL)
        return -1;
    status = elm_scatter_create_all(&s, problem, comm, err);
    if (status == 0)
        status = elm_comm_agree_all(comm, create_work(&w, &s, err), err);
    if (status == 0)
        status = find_principal_all(&w, out, err);
    if (status == 0)
        status = find_collapse_all(&w, out, err);
    if (status == 0)
        status = find_fisher_all(&w, out, err);
    release_work(&w);
    elm_scatter_release_all(&s);
    return status;
}

void elm_spectrum_release(elm_spectrum *spectrum)
{
    elm_free(spectrum->memory);
    *spectrum = (elm_spectrum){0};
}
