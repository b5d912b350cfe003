#include "loss/matmul.h"

#include <cblas.h>
#include <stddef.h>

/* rows: enough for BLAS to work at speed, few enough that a batch of 128 keeps four threads busy */
enum { BLOCK = 32 };

/* Inside of a parallel region OpenBLAS works on the caller's thread alone; with one thread there
 * is no other. */
static int rows_of_block(int first, int rows)
{
    return rows - first < BLOCK ? rows - first : BLOCK;
}

void elm_matmul_nt(const double *a, int rows, const double *b, int columns, int width, double *to,
                   int stride)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < rows; i += BLOCK)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows_of_block(i, rows), columns, width,
                    1, a + (size_t)i * (size_t)width, width, b, width, 0,
                    to + (size_t)i * (size_t)stride, stride);
}

void elm_matmul_nn(const double *factor, int stride, int rows, const double *x, int count,
                   int width, double *to)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < rows; i += BLOCK)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows_of_block(i, rows), width, count,
                    1, factor + (size_t)i * (size_t)stride, stride, x, width, 0,
                    to + (size_t)i * (size_t)width, width);
}

void elm_matmul_tn(const double *factor, int stride, int rows, const double *x, int count,
                   int width, double *to)
{
#pragma omp parallel for schedule(dynamic, 1)
    for (int i = 0; i < rows; i += BLOCK)
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows_of_block(i, rows), width, count,
                    1, factor + i, stride, x, width, 0, to + (size_t)i * (size_t)width, width);
}
