/* Convolution as matrix products over OpenBLAS: the portable fallback and the tests' reference.
 * Activations are NCHW. Each image is unfolded (im2col) and multiplied by one thread, images go
 * to threads in fixed runs; inside a parallel region OpenBLAS's OpenMP build computes on the
 * calling thread. */
#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/partition.h"
#include "nn/backends/backend.h"
#include "nn/backends/im2col.h"

typedef struct convolution {
    elm_conv_shape shape;
    int threads;
    int depth;       /* rows of the unfolded image: in_channels * kernel^2 */
    int pixels;      /* columns: out_height * out_width */
    size_t unfolded; /* floats: depth * pixels */
    float *columns;  /* [threads][unfolded] */
    float *partial;  /* [threads][out_channels][depth] weight gradients of a thread's images */
    float *weights;  /* OIHW */
} convolution;

static const char *version(char text[ELM_VERSION_SIZE])
{
    /* with the kind of CPU that it has chosen its kernels for */
    snprintf(text, ELM_VERSION_SIZE, "%s", openblas_get_config());
    return text;
}

static const char *cpu(void)
{
    return openblas_get_corename();
}

static const char *implementation(void *opaque, char text[ELM_VERSION_SIZE])
{
    (void)opaque;
    snprintf(text, ELM_VERSION_SIZE, "im2col and sgemm");
    return text;
}

static int check_format(elm_format format, elm_error *err)
{
    if (format == ELM_FP32)
        return 0;
    return elm_error_set(err, ELM_EXIT_USAGE,
                         "OpenBLAS computes convolutions in fp32 alone (run.precision = bf16): use "
                         "run.backend = onednn or "
                         "run.precision = fp32");
}

static int engine_open(void **engine, elm_format format, elm_layout layout, int *block,
                       elm_error *err)
{
    (void)format;
    if (layout != ELM_LAYOUT_AUTO && layout != ELM_LAYOUT_NCHW)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "convolutions over OpenBLAS read NCHW alone (run.layout = %s): use "
                             "run.layout = auto or nchw, or "
                             "run.backend = onednn",
                             elm_layout_names[layout]);
    *engine = NULL;
    *block = 1;
    return 0;
}

static void engine_close(void *engine)
{
    (void)engine;
}

static void conv_destroy(void *opaque)
{
    convolution *c = opaque;
    if (!c)
        return;
    elm_free(c->columns);
    elm_free(c->partial);
    elm_free(c->weights);
    elm_free(c);
}

static int conv_create(void **opaque, void *engine, const elm_conv_shape *shape, int max_images,
                       elm_error *err)
{
    (void)engine;
    (void)max_images;
    convolution *c = elm_alloc(1, sizeof *c, err);
    if (!c)
        return -1;
    c->shape = *shape;
    c->threads = omp_get_max_threads();
    c->depth = shape->in_channels * shape->kernel * shape->kernel;
    c->pixels = shape->out_height * shape->out_width;
    c->unfolded = (size_t)c->depth * c->pixels;
    c->columns = elm_alloc((size_t)c->threads * c->unfolded, sizeof(float), err);
    c->partial = c->columns ? elm_alloc((size_t)c->threads * shape->out_channels * c->depth,
                                        sizeof(float), err)
                            : NULL;
    c->weights =
        c->partial ? elm_alloc((size_t)shape->out_channels * c->depth, sizeof(float), err) : NULL;
    if (!c->weights) {
        conv_destroy(c);
        return -1;
    }
    *opaque = c;
    return 0;
}

static void conv_pack(void *opaque, const float *weights)
{
    convolution *c = opaque;
    memcpy(c->weights, weights, (size_t)c->shape.out_channels * c->depth * sizeof *weights);
}

static size_t in_size(const elm_conv_shape *s)
{
    return (size_t)s->in_channels * s->in_height * s->in_width;
}

static size_t out_size(const elm_conv_shape *s)
{
    return (size_t)s->out_channels * s->out_height * s->out_width;
}

static void conv_forward(void *opaque, int images, const void *in, void *out)
{
    const float *x = in;
    float *y = out;
    const convolution *c = opaque;
    const elm_conv_shape *s = &c->shape;
#pragma omp parallel for schedule(static) num_threads(c->threads)
    for (int i = 0; i < images; i++) {
        float *columns = c->columns + (size_t)omp_get_thread_num() * c->unfolded;
        elm_im2col()->unfold(s, x + (size_t)i * in_size(s), columns);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, s->out_channels, c->pixels, c->depth,
                    1, c->weights, c->depth, columns, c->pixels, 0, y + (size_t)i * out_size(s),
                    c->pixels);
    }
}

static void conv_backward_data(void *opaque, int images, const void *out_gradient,
                               void *in_gradient)
{
    const float *dy = out_gradient;
    float *dx = in_gradient;
    const convolution *c = opaque;
    const elm_conv_shape *s = &c->shape;
#pragma omp parallel for schedule(static) num_threads(c->threads)
    for (int i = 0; i < images; i++) {
        float *columns = c->columns + (size_t)omp_get_thread_num() * c->unfolded,
              *image = dx + (size_t)i * in_size(s);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, c->depth, c->pixels, s->out_channels,
                    1, c->weights, c->depth, dy + (size_t)i * out_size(s), c->pixels, 0, columns,
                    c->pixels);
        memset(image, 0, in_size(s) * sizeof *image);
        elm_im2col()->fold(s, columns, image);
    }
}

static void conv_backward_weights(void *opaque, int images, const void *in,
                                  const void *out_gradient, float *dw)
{
    const float *x = in, *dy = out_gradient;
    const convolution *c = opaque;
    const elm_conv_shape *s = &c->shape;
    const size_t size = (size_t)s->out_channels * c->depth;
#pragma omp parallel for schedule(static) num_threads(c->threads)
    /* thread t's run of images, summed in order, so that the sum is the same every time */
    for (int t = 0; t < c->threads; t++) {
        float *columns = c->columns + (size_t)t * c->unfolded,
              *partial = c->partial + (size_t)t * size;
        memset(partial, 0, size * sizeof *partial);
        for (int64_t i = elm_partition_begin(images, c->threads, t);
             i < elm_partition_begin(images, c->threads, t + 1); i++) {
            elm_im2col()->unfold(s, x + (size_t)i * in_size(s), columns);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, s->out_channels, c->depth,
                        c->pixels, 1, dy + (size_t)i * out_size(s), c->pixels, columns, c->pixels,
                        1, partial, c->depth);
        }
    }
    for (size_t k = 0; k < size; k++) {
        float sum = 0;
        for (int t = 0; t < c->threads; t++)
            sum += c->partial[(size_t)t * size + k];
        dw[k] = sum;
    }
}

const elm_backend elm_backend_openblas = {
    .name = "openblas",
    .version = version,
    .cpu = cpu,
    .check_format = check_format,
    .open = engine_open,
    .close = engine_close,
    .create = conv_create,
    .destroy = conv_destroy,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward_data = conv_backward_data,
    .backward_weights = conv_backward_weights,
    .implementation = implementation,
};
