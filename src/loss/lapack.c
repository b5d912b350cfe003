#include "loss/lapack.h"

#include <cblas.h>
#include <omp.h>
#include <stddef.h>

#include "elmpi/memory.h"

/* OpenBLAS brings LAPACK in Fortran; a header is not always installed with it. The lengths of
 * texts come last. */
void dgeqrf_(const int *m, const int *n, double *a, const int *lda, double *tau, double *work,
             const int *lwork, int *info);
void dormqr_(const char *side, const char *trans, const int *m, const int *n, const int *k,
             const double *a, const int *lda, const double *tau, double *c, const int *ldc,
             double *work, const int *lwork, int *info, size_t side_size, size_t trans_size);
void dsygvx_(const int *itype, const char *jobz, const char *range, const char *uplo, const int *n,
             double *a, const int *lda, double *b, const int *ldb, const double *vl,
             const double *vu, const int *il, const int *iu, const double *abstol, int *m,
             double *w, double *z, const int *ldz, double *work, const int *lwork, int *iwork,
             int *ifail, int *info, size_t jobz_size, size_t range_size, size_t uplo_size);

struct elm_lapack {
    double *tau; /* [count] the rest of Q */
    double *work;
    int work_size;
    int *integers; /* [5 * side] */
    int *failed;   /* [side] */
};

/* OpenBLAS takes as many threads as OpenMP would give the caller. */
static int one_thread(void)
{
    const int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    return threads;
}

void elm_lapack_destroy(elm_lapack *l)
{
    if (!l)
        return;
    elm_free(l->tau);
    elm_free(l->work);
    elm_free(l->integers);
    elm_free(l->failed);
    elm_free(l);
}

static void geqrf(elm_lapack *l, double *columns, int height, int count, double *work, int size,
                  int *info)
{
    dgeqrf_(&height, &count, columns, &height, l->tau, work, &size, info);
}

static void ormqr(elm_lapack *l, const double *columns, int height, int count, double *x,
                  int vectors, double *work, int size, int *info)
{
    dormqr_("L", "N", &height, &vectors, &count, columns, &height, l->tau, x, &height, work, &size,
            info, 1, 1);
}

static void sygvx(elm_lapack *l, double *a, double *b, int side, int wanted, double *values,
                  double *vectors, double *work, int size, int *info)
{
    const int one = 1, first = side - wanted + 1;
    const double unused = 0;
    int found;
    dsygvx_(&one, "V", "I", "L", &side, a, &side, b, &side, &unused, &unused, &first, &side,
            &unused, &found, values, vectors, &side, work, &size, l->integers, l->failed, info, 1,
            1, 1);
}

/* The largest work space that any of the three asks for. */
static int ask_for_size(elm_lapack *l, int height, int count, int side)
{
    double best = 1, asked = 0, dummy = 0;
    int info;
    geqrf(l, &dummy, height, count, &asked, -1, &info);
    best = asked > best ? asked : best;
    ormqr(l, &dummy, height, count, &dummy, count, &asked, -1, &info);
    best = asked > best ? asked : best;
    sygvx(l, &dummy, &dummy, side, 1, &dummy, &dummy, &asked, -1, &info);
    best = asked > best ? asked : best;
    return (int)best;
}

int elm_lapack_create(elm_lapack **lapack, int height, int count, int side, elm_error *err)
{
    elm_lapack *l = elm_alloc(1, sizeof *l, err);
    *lapack = NULL;
    if (!l)
        return -1;
    const int columns = count < height ? count : height;
    l->work_size = ask_for_size(l, height, columns > 0 ? columns : 1, side > 0 ? side : 1);
    l->tau = elm_alloc((size_t)columns, sizeof *l->tau, err);
    l->work = l->tau ? elm_alloc((size_t)l->work_size, sizeof *l->work, err) : NULL;
    l->integers = l->work ? elm_alloc(5 * (size_t)side, sizeof *l->integers, err) : NULL;
    l->failed = l->integers ? elm_alloc((size_t)side, sizeof *l->failed, err) : NULL;
    if (!l->failed) {
        elm_lapack_destroy(l);
        return -1;
    }
    *lapack = l;
    return 0;
}

int elm_lapack_qr(elm_lapack *l, double *columns, int height, int count)
{
    int info;
    const int threads = one_thread();
    geqrf(l, columns, height, count, l->work, l->work_size, &info);
    omp_set_num_threads(threads);
    return info ? -1 : 0;
}

int elm_lapack_times_q(elm_lapack *l, double *columns, int height, int count, double *x,
                       int vectors)
{
    int info;
    const int threads = one_thread();
    ormqr(l, columns, height, count, x, vectors, l->work, l->work_size, &info);
    omp_set_num_threads(threads);
    return info ? -1 : 0;
}

void elm_lapack_squares(const double *x, int side, int count, double *to)
{
    const int threads = one_thread();
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, side, count, 1, x, side, 0, to, side);
    omp_set_num_threads(threads);
}

int elm_lapack_largest(elm_lapack *l, double *a, double *b, int side, int wanted, double *values,
                       double *vectors)
{
    int info;
    const int threads = one_thread();
    sygvx(l, a, b, side, wanted, values, vectors, l->work, l->work_size, &info);
    omp_set_num_threads(threads);
    return info ? -1 : 0;
}
