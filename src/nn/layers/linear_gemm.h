/* Fully connected mathematics on row-major buffers, over OpenBLAS. */
#ifndef ELMPI_NN_LAYERS_LINEAR_GEMM_H
#define ELMPI_NN_LAYERS_LINEAR_GEMM_H

/** y [rows][out] = x [rows][in] weight^T + bias; weight [out][in], bias [out] or NULL: none. */
void elm_linear_forward(const float *x, const float *weight, const float *bias, float *y, int rows,
                        int in, int out);

/** Sets weight_gradient [out][in] = dy^T x and bias_gradient [out] = column sums of dy; NULL: no
 * bias. */
void elm_linear_weight_gradients(const float *x, const float *dy, float *weight_gradient,
                                 float *bias_gradient, int rows, int in, int out);

/** dx [rows][in] = dy [rows][out] weight, added to dx when `add`. */
void elm_linear_data_gradient(const float *dy, const float *weight, float *dx, int rows, int in,
                              int out, int add);

#endif
