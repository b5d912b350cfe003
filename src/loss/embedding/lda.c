/* lda (deep LDA): with the N images of the batch whose class has two or more there, C classes of
 * n_c images with means mu_c, mean mu of all,
 *
 *   S_w = 1/C sum_c 1/(n_c - 1) sum_{i in c} (Phi_i - mu_c)(Phi_i - mu_c)^T + ridge I
 *   S_t = 1/(N - 1) sum_i (Phi_i - mu)(Phi_i - mu)^T,  S_b = S_t - S_w
 *   S_b e_j = v_j S_w e_j, e_j^T S_w e_j = 1,
 *     of which the largest min(C - 1, width) eigenvalues count
 *   value = - mean of the m of them that are below their smallest + window
 *
 * so that the classes that are worst to tell apart get the gradient. Images that are alone in their
 * class have no covariance and are left out; with fewer than two classes the value is 0. A batch in
 * which S_w cannot be inverted in double (embeddings beyond 1e6) gives NaN, as overflow does
 * elsewhere. One number for the whole batch. Since S_t e_j = (v_j + 1) S_w e_j, where eigenvalues
 * are distinct:
 *
 *   dv_j = e_j^T (dS_t - (v_j + 1) dS_w) e_j
 *   dL/dPhi_i = -2/m sum_j e_j (e_j.(Phi_i - mu) / (N - 1)
 *                               - (v_j + 1) e_j.(Phi_i - mu_c) / (C (n_c - 1)))
 *
 * and the choice of the m is a constant to the gradient.
 *
 * Everything lies in the span of the N centered embeddings, outside of which S_t is 0 and S_w is
 * ridge. So with fewer images than the width the problem is solved in coordinates in an orthonormal
 * basis Q of that span (QR of the embeddings: column i of R is image i) and the gradient is
 * multiplied by Q.
 *
 * Cost: with d = min(N, width): N d^2 for the matrices, about 3 d^3 + 4 d^2 C for the
 * eigenvectors, 2 N^2 width for QR, C d a row for the gradient; all but the last on one thread
 * and on every rank. Memory 3 max_rows * width + 3 d^2 doubles at most. */
#include <math.h>
#include <string.h>

#include "elmpi/memory.h"
#include "loss/embedding/global_batch.h"
#include "loss/lapack.h"

typedef struct lda {
    double ridge, window;
    elm_global_batch *rows;
    elm_lapack *lapack;
    int count, classes; /* images and classes that take part */
    int side;           /* d */
    int *kept;          /* [count] rows that take part, by class */
    int *place;         /* [max_rows] place in `kept`, or -1 */
    /* [count][width] embeddings minus their mean; then Q and R */
    double *centered;
    double *total; /* [count][side] coordinates minus mu, over sqrt(N - 1) */
    /* [count][side] coordinates minus mu_c, over sqrt(C (n_c - 1)) */
    double *within;
    double *factor;                       /* [count] 1 / sqrt(C (n_c - 1)) */
    double *mean;                         /* [width] */
    double *s_total, *s_within, *vectors; /* [side][side] */
    double *values;                       /* [side] v + 1 */
} lda;

static void lda_destroy(void *state)
{
    lda *t = state;
    if (!t)
        return;
    elm_global_batch_destroy(t->rows);
    elm_lapack_destroy(t->lapack);
    void *all[] = {t->kept, t->place,   t->centered, t->total,   t->within, t->factor,
                   t->mean, t->s_total, t->s_within, t->vectors, t->values, t};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
}

static int allocate(lda *t, const elm_loss_setup *setup, elm_error *err)
{
    const size_t rows = (size_t)setup->max_rows, width = (size_t)setup->width,
                 side = rows < width ? rows : width;
    const elm_need needs[] = {
        {&t->kept, rows, sizeof *t->kept},
        {&t->place, rows, sizeof *t->place},
        {&t->centered, rows * width, sizeof *t->centered},
        {&t->total, rows * side, sizeof *t->total},
        {&t->within, rows * side, sizeof *t->within},
        {&t->factor, rows, sizeof *t->factor},
        {&t->mean, width, sizeof *t->mean},
        {&t->s_total, side * side, sizeof *t->s_total},
        {&t->s_within, side * side, sizeof *t->s_within},
        {&t->vectors, side * side, sizeof *t->vectors},
        {&t->values, side, sizeof *t->values},
    };
    if (elm_global_batch_create(&t->rows, setup, false, err) ||
        elm_lapack_create(&t->lapack, setup->width, (int)setup->max_rows, (int)side, err))
        return -1;
    return elm_alloc_each(needs, sizeof needs / sizeof *needs, err);
}

static int lda_create(void **state, const elm_loss_setup *setup, elm_error *err)
{
    lda *t = elm_alloc(1, sizeof *t, err);
    *state = NULL;
    if (!t)
        return -1;
    *t = (lda){.ridge = setup->options->lda_ridge, .window = setup->options->lda_window};
    if (allocate(t, setup, err)) {
        lda_destroy(t);
        return -1;
    }
    *state = t;
    return 0;
}

/* The images of classes with two or more, and their mean. */
static void choose_images(lda *t)
{
    const elm_global_batch *r = t->rows;
    t->count = t->classes = 0;
    memset(t->mean, 0, (size_t)r->width * sizeof *t->mean);
    for (int s = 0; s < r->present; s++) {
        const bool alone = elm_global_batch_members(r, s) < 2;
        t->classes += !alone;
        for (int m = r->start[s]; m < r->start[s + 1]; m++) {
            t->place[r->member[m]] = alone ? -1 : t->count;
            if (!alone)
                t->kept[t->count++] = r->member[m];
        }
    }
    for (int i = 0; i < t->count; i++) {
        const double *x = elm_global_batch_at(r, t->kept[i]);
        for (int k = 0; k < r->width; k++)
            t->mean[k] += x[k] / t->count;
    }
    t->side = t->count < r->width ? t->count : r->width;
}

/* Centered embeddings, in their own coordinates or those of their span. */
static int find_coordinates(lda *t)
{
    const elm_global_batch *r = t->rows;
    const size_t width = (size_t)r->width, side = (size_t)t->side;
    for (int i = 0; i < t->count; i++) {
        const double *x = elm_global_batch_at(r, t->kept[i]);
        for (int k = 0; k < r->width; k++)
            t->centered[(size_t)i * width + (size_t)k] = x[k] - t->mean[k];
    }
    if (t->side == r->width) {
        memcpy(t->total, t->centered, (size_t)t->count * width * sizeof *t->total);
        return 0;
    }
    if (elm_lapack_qr(t->lapack, t->centered, r->width, t->count))
        return -1;
    memset(t->total, 0, (size_t)t->count * side * sizeof *t->total);
    for (size_t i = 0; i < (size_t)t->count; i++)
        memcpy(t->total + i * side, t->centered + i * width, (i + 1) * sizeof *t->total);
    return 0;
}

/* Images first .. first + members of one class: from coordinates to scaled differences. */
static void center_class(lda *t, int first, int members)
{
    const size_t side = (size_t)t->side;
    const double factor = 1 / sqrt((double)t->classes * (members - 1));
    for (size_t k = 0; k < side; k++) {
        double mean = 0;
        for (size_t i = (size_t)first; i < (size_t)first + (size_t)members; i++)
            mean += t->total[i * side + k] / members;
        for (size_t i = (size_t)first; i < (size_t)first + (size_t)members; i++)
            t->within[i * side + k] = (t->total[i * side + k] - mean) * factor;
    }
    for (int i = first; i < first + members; i++)
        t->factor[i] = factor;
}

static void find_matrices(lda *t)
{
    const elm_global_batch *r = t->rows;
    const size_t side = (size_t)t->side, values = (size_t)t->count * side;
    const double factor = 1 / sqrt((double)t->count - 1);
    for (int s = 0, first = 0; s < r->present; s++)
        if (elm_global_batch_members(r, s) > 1) {
            center_class(t, first, elm_global_batch_members(r, s));
            first += elm_global_batch_members(r, s);
        }
    for (size_t i = 0; i < values; i++)
        t->total[i] *= factor;
    elm_lapack_squares(t->total, t->side, t->count, t->s_total);
    elm_lapack_squares(t->within, t->side, t->count, t->s_within);
    for (size_t k = 0; k < side; k++)
        t->s_within[k * side + k] += t->ridge;
}

/* Some eigenvalue routines never come back from a NaN; one anywhere shows on the diagonals. */
static bool is_finite(const lda *t)
{
    double sum = 0;
    for (size_t k = 0; k < (size_t)t->side; k++)
        sum += t->s_total[k * ((size_t)t->side + 1)] + t->s_within[k * ((size_t)t->side + 1)];
    return isfinite(sum);
}

/* The eigenvalues (plus 1) that count, at the front of `values`, smallest first; returns how
 * many, or -1. */
static int find_eigenvalues(lda *t)
{
    const int wanted = t->classes - 1 < t->side ? t->classes - 1 : t->side;
    if (find_coordinates(t))
        return -1;
    find_matrices(t);
    if (!is_finite(t) || elm_lapack_largest(t->lapack, t->s_total, t->s_within, t->side, wanted,
                                            t->values, t->vectors))
        return -1;
    int chosen = 1;
    while (chosen < wanted && t->values[chosen] < t->values[0] + t->window)
        chosen++;
    return chosen;
}

/* The gradient of one of our rows, in the coordinates; 0 where it takes no part. */
static void find_gradient(const lda *t, int i, int chosen)
{
    const elm_global_batch *r = t->rows;
    const int at = t->place[r->first + i];
    double *gradient = r->gradient + (size_t)i * (size_t)r->width;
    memset(gradient, 0, (size_t)r->width * sizeof *gradient);
    if (at < 0)
        return;
    const double *total = t->total + (size_t)at * (size_t)t->side,
                 *within = t->within + (size_t)at * (size_t)t->side;
    const double factor = 1 / sqrt((double)t->count - 1);
    for (int j = 0; j < chosen; j++) {
        const double *e = t->vectors + (size_t)j * (size_t)t->side;
        const double slope =
            factor * elm_global_batch_product(e, total, t->side) -
            t->values[j] * t->factor[at] * elm_global_batch_product(e, within, t->side);
        for (int k = 0; k < t->side; k++)
            gradient[k] -= 2.0 / chosen * slope * e[k];
    }
}

static elm_loss_value lda_evaluate(void *state, const elm_loss_batch *batch, double weight)
{
    lda *t = state;
    const elm_global_batch *r = t->rows;
    elm_global_batch_collect(t->rows, batch);
    choose_images(t);
    if (t->classes < 2)
        return elm_global_batch_tell(r, batch, 0);
    const int chosen = find_eigenvalues(t);
    if (chosen < 0)
        return elm_global_batch_tell(r, batch, NAN);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < r->local; i++)
        find_gradient(t, i, chosen);
    if (t->side < r->width && r->local > 0 &&
        elm_lapack_times_q(t->lapack, t->centered, r->width, t->count, r->gradient, r->local))
        return elm_global_batch_tell(r, batch, NAN);
    elm_global_batch_add_gradient(r, batch, weight * elm_global_batch_share(batch));
    double sum = 0;
    for (int j = 0; j < chosen; j++)
        sum += t->values[j] - 1;
    return elm_global_batch_tell(r, batch, -sum / chosen);
}

const elm_loss_row elm_loss_lda = {
    .name = "lda",
    .formula = "-mean of the eigenvalues v of S_b e = v S_w e below their smallest + 1",
    .source = "Dorfer, Kelz, Widmer 2016, Deep linear discriminant analysis",
    .help = "deep LDA: the directions in which classes are worst to tell apart gain variance "
            "between classes over that within",
    .needs = elm_loss_needs_everything,
    .create = lda_create,
    .evaluate = lda_evaluate,
    .destroy = lda_destroy,
};
