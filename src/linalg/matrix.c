#include "linalg/matrix.h"

#include <limits.h>
#include <stdbool.h>

#include "elmpi/memory.h"

/* ScaLAPACK ships no header. Fortran: everything by address, places from 1. */
void pdsyrk_(const char *half, const char *transposed, const int *n, const int *k,
             const double *alpha, const double *a, const int *ia, const int *ja, const int *desca,
             const double *beta, double *c, const int *ic, const int *jc, const int *descc);
void pdgemr2d_(const int *m, const int *n, const double *a, const int *ia, const int *ja,
               const int *desca, double *b, const int *ib, const int *jb, const int *descb,
               const int *context);
void pdpotrf_(const char *half, const int *n, double *a, const int *ia, const int *ja,
              const int *desca, int *info);
void pdpotrs_(const char *half, const int *n, const int *columns, const double *a, const int *ia,
              const int *ja, const int *desca, double *b, const int *ib, const int *jb,
              const int *descb, int *info);
void pdsymm_(const char *side, const char *half, const int *m, const int *n, const double *alpha,
             const double *a, const int *ia, const int *ja, const int *desca, const double *b,
             const int *ib, const int *jb, const int *descb, const double *beta, double *c,
             const int *ic, const int *jc, const int *descc);
void pdsygst_(const int *kind, const char *half, const int *n, double *a, const int *ia,
              const int *ja, const int *desca, const double *b, const int *ib, const int *jb,
              const int *descb, double *scale, int *info);
void pdsyevd_(const char *vectors, const char *half, const int *n, double *a, const int *ia,
              const int *ja, const int *desca, double *w, double *z, const int *iz, const int *jz,
              const int *descz, double *work, const int *lwork, int *iwork, const int *liwork,
              int *info);

static const int one = 1;

static bool is_here(const elm_matrix *m)
{
    return m->at.row >= 0;
}

int elm_matrix_create(elm_matrix *m, const elm_grid *grid, int rows, int columns, int row_block,
                      int column_block, elm_error *err)
{
    const elm_grid_place at = elm_grid_where(grid);
    const int64_t local_rows = elm_grid_share(rows, row_block, at.row, at.rows);
    const int64_t local_columns = elm_grid_share(columns, column_block, at.column, at.columns);
    *m = (elm_matrix){.at = at,
                      .rows = rows,
                      .columns = columns,
                      .row_block = row_block,
                      .column_block = column_block,
                      .local_rows = (int)local_rows,
                      .local_columns = (int)local_columns,
                      .descriptor = {1, at.context, rows, columns, row_block, column_block, 0, 0,
                                     local_rows > 0 ? (int)local_rows : 1}};
    const int64_t numbers = local_rows * local_columns;
    if (numbers > INT_MAX)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "%lld numbers of a matrix are more than ScaLAPACK counts on a rank: use more ranks",
            (long long)numbers);
    m->data = elm_alloc((size_t)numbers, sizeof *m->data, err);
    return m->data != NULL ? 0 : -1;
}

void elm_matrix_release(elm_matrix *m)
{
    elm_free(m->data);
    *m = (elm_matrix){.at = {.row = -1, .column = -1}};
}

/* Which local row (or column) a global one is, or -1 where another rank holds it. */
static int local_of(int place, int block, int mine, int all)
{
    const int turn = place / block;
    return turn % all == mine ? turn / all * block + place % block : -1;
}

double *elm_matrix_cell(const elm_matrix *m, int row, int column)
{
    if (!is_here(m))
        return NULL;
    const int r = local_of(row, m->row_block, m->at.row, m->at.rows),
              c = local_of(column, m->column_block, m->at.column, m->at.columns);
    return r < 0 || c < 0 ? NULL : m->data + (size_t)c * (size_t)m->local_rows + (size_t)r;
}

void elm_matrix_squares_all(const elm_matrix *x, double factor, const elm_matrix *to)
{
    const double nothing = 0;
    if (is_here(x))
        pdsyrk_("L", "T", &to->rows, &x->rows, &factor, x->data, &one, &one, x->descriptor,
                &nothing, to->data, &one, &one, to->descriptor);
}

void elm_matrix_copy_all(const elm_matrix *from, const elm_matrix *to, const elm_grid *world)
{
    const elm_grid_place at = elm_grid_where(world);
    pdgemr2d_(&from->rows, &from->columns, from->data, &one, &one, from->descriptor, to->data, &one,
              &one, to->descriptor, &at.context);
}

int elm_matrix_solve_all(const elm_matrix *a, const elm_matrix *b, elm_error *err)
{
    int info = 0;
    if (!is_here(a))
        return 0;
    pdpotrf_("L", &a->rows, a->data, &one, &one, a->descriptor, &info);
    if (info != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a covariance is not positive definite (its leading %d columns): use "
                             "a larger shrinkage",
                             info);
    pdpotrs_("L", &a->rows, &b->columns, a->data, &one, &one, a->descriptor, b->data, &one, &one,
             b->descriptor, &info);
    return 0;
}

void elm_matrix_add(const elm_matrix *what, const elm_matrix *to)
{
    const size_t numbers = (size_t)what->local_rows * (size_t)what->local_columns;
    for (size_t i = 0; i < numbers; i++)
        to->data[i] += what->data[i];
}

void elm_matrix_symmetric_product_all(const elm_matrix *a, const elm_matrix *b,
                                      const elm_matrix *to)
{
    const double nothing = 0, factor = 1;
    if (is_here(a))
        pdsymm_("L", "L", &to->rows, &to->columns, &factor, a->data, &one, &one, a->descriptor,
                b->data, &one, &one, b->descriptor, &nothing, to->data, &one, &one, to->descriptor);
}

int elm_matrix_reduce_all(const elm_matrix *a, const elm_matrix *b, elm_error *err)
{
    int info = 0;
    double scale = 1; /* always 1, says the manual */
    if (!is_here(a))
        return 0;
    pdpotrf_("L", &b->rows, b->data, &one, &one, b->descriptor, &info);
    if (info != 0)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "a covariance is not positive definite (its leading %d columns): use "
                             "a larger shrinkage",
                             info);
    pdsygst_(&one, "L", &a->rows, a->data, &one, &one, a->descriptor, b->data, &one, &one,
             b->descriptor, &scale, &info);
    return 0;
}

int elm_matrix_eigen_all(const elm_matrix *a, double *values, const elm_matrix *vectors,
                         elm_error *err)
{
    const int ask = -1;
    double size = 0, *work = NULL;
    int whole = 0, info = 0, *iwork = NULL;
    if (!is_here(a))
        return 0;
    pdsyevd_("V", "L", &a->rows, a->data, &one, &one, a->descriptor, values, vectors->data, &one,
             &one, vectors->descriptor, &size, &ask, &whole, &ask, &info);
    /* The library's query returns less than its own back-transformation needs for large blocks. */
    const int length =
        (int)size + (a->local_rows + a->local_columns + 3 * a->row_block) * a->row_block;
    work = elm_alloc((size_t)length, sizeof *work, err);
    iwork = work != NULL ? elm_alloc((size_t)whole, sizeof *iwork, err) : NULL;
    /* Memory is agreed on before any rank calls ScaLAPACK, or the others would wait forever. */
    const bool ready = elm_grid_agree_all(a->at, iwork != NULL);
    if (ready)
        pdsyevd_("V", "L", &a->rows, a->data, &one, &one, a->descriptor, values, vectors->data,
                 &one, &one, vectors->descriptor, work, &length, iwork, &whole, &info);
    elm_free(work);
    elm_free(iwork);
    if (!ready)
        return elm_error_set(
            err, ELM_EXIT_FAILURE,
            "memory for eigenvectors is exhausted on a rank: use more ranks or nodes");
    return info == 0
               ? 0
               : elm_error_set(err, ELM_EXIT_FAILURE,
                               "eigenvalues do not converge (ScaLAPACK's pdsyevd: %d): report this",
                               info);
}
