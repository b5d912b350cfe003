#include "nn/layers/linear_gemm.h"

#include <cblas.h>
#include <string.h>

void elm_linear_forward(const float *x, const float *weight, const float *bias, float *y, int rows,
                        int in, int out)
{
    for (int r = 0; bias && r < rows; r++)
        memcpy(y + (size_t)r * out, bias, (size_t)out * sizeof *y);
    if (rows)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, out, in, 1, x, in, weight, in,
                    bias ? 1 : 0, y, out);
}

void elm_linear_weight_gradients(const float *x, const float *dy, float *weight_gradient,
                                 float *bias_gradient, int rows, int in, int out)
{
    if (!rows) {
        memset(weight_gradient, 0, (size_t)out * in * sizeof *weight_gradient);
        if (bias_gradient)
            memset(bias_gradient, 0, (size_t)out * sizeof *bias_gradient);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, rows, 1, dy, out, x, in, 0,
                weight_gradient, in);
    if (!bias_gradient)
        return;
#pragma omp parallel for schedule(static)
    for (int o = 0; o < out; o++) {
        double sum = 0;
        for (int r = 0; r < rows; r++)
            sum += (double)dy[(size_t)r * out + o];
        bias_gradient[o] = (float)sum;
    }
}

void elm_linear_data_gradient(const float *dy, const float *weight, float *dx, int rows, int in,
                              int out, int add)
{
    if (rows)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, in, out, 1, dy, out, weight,
                    in, add ? 1 : 0, dx, in);
}
