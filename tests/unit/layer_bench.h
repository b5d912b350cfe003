/* One layer on its own, with inputs from a hash, whose results are compared with PyTorch's in fp64
 * (tests/golden/nn_golden.py), for the tests of layers and networks. */
#ifndef ELMPI_TESTS_LAYER_BENCH_H
#define ELMPI_TESTS_LAYER_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "golden/nn_golden.h"
#include "golden/pseudo.h"
#include "nn/graph.h"

static inline const golden *expected(const char *name)
{
    for (size_t i = 0; i < sizeof nn_golden / sizeof *nn_golden; i++)
        if (!strcmp(nn_golden[i].name, name))
            return &nn_golden[i];
    fail_msg("no golden value %s", name);
    return NULL;
}

static inline void check(const char *layer, const char *what, const float *x, size_t count,
                         double tolerance)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", layer, what);
    const double error = golden_error(expected(name), x, count);
    if (!(error <= tolerance))
        fail_msg("%s is off by %g of its length", name, error);
}

/* Who computes, in which format, and how close that comes. */
typedef struct who {
    const char *backend;
    elm_format format;
    elm_layout layout;
    double tolerance; /* of the length */
} who;
static const who openblas = {"openblas", ELM_FP32, ELM_LAYOUT_AUTO, 1e-5};

/* One layer on its own: values with their gradients, parameters, a backend. */

typedef struct bench {
    const elm_backend *backend;
    void *engine;
    int block, images;
    who who;
    elm_value in, out, residual;
    elm_layer layer;
    elm_segment segments[4];
    elm_pass pass;
    float *plain; /* NCHW work space */
} bench;

static inline size_t floats(const bench *b, const elm_value *v)
{
    return b->images * elm_value_image(v);
}

static inline void *to_blocked(const bench *b, const elm_value *v, const float *plain)
{
    void *x = elm_alloc(floats(b, v), elm_format_size(v->format), NULL);
    const size_t pixels = (size_t)v->height * v->width;
    for (int i = 0; i < b->images; i++)
        for (int c = 0; c < v->channels; c++)
            for (size_t p = 0; p < pixels; p++)
                elm_write(x,
                          i * elm_value_image(v) + (size_t)(c / v->block) * elm_value_plane(v) +
                              p * v->block + c % v->block,
                          plain[((size_t)i * v->channels + c) * pixels + p], v->format);
    return x;
}

static inline void to_plain(const bench *b, const elm_value *v, const void *blocked, float *plain)
{
    const size_t pixels = (size_t)v->height * v->width;
    for (int i = 0; i < b->images; i++)
        for (int c = 0; c < v->channels; c++)
            for (size_t p = 0; p < pixels; p++)
                plain[((size_t)i * v->channels + c) * pixels + p] =
                    elm_read(blocked,
                             i * elm_value_image(v) + (size_t)(c / v->block) * elm_value_plane(v) +
                                 p * v->block + c % v->block,
                             v->format);
}

static inline void check_value(const bench *b, const elm_value *v, const void *blocked,
                               const char *layer, const char *what)
{
    to_plain(b, v, blocked, b->plain);
    check(layer, what, b->plain, floats(b, v), b->who.tolerance);
}

/* As graph.c does. */
static inline void place(elm_value *v, int block)
{
    v->channels_last = block == ELM_BLOCK_ALL;
    v->block = v->channels_last ? v->channels : v->channels % block ? 1 : block;
}

static inline void open_bench(bench *b, who by, int images, const elm_layer_kind *kind,
                              elm_value in, elm_value out)
{
    elm_error err;
    *b = (bench){.who = by, .backend = elm_backend_find(by.backend, &err), .images = images};
    assert_int_equal(0, b->backend->open(&b->engine, by.format, by.layout, &b->block, &err));
    b->in = in;
    b->out = out;
    place(&b->in, kind == elm_linear_layer() ? 1 : b->block);
    place(&b->out, out.height * out.width == 1 ? 1 : b->block);
    b->in.format = kind == elm_linear_layer() ? ELM_FP32 : by.format;
    b->out.format = kind == elm_linear_layer() || kind == elm_pool_layer() ? ELM_FP32 : by.format;
    b->in.wants_gradient = true;
    b->plain =
        elm_alloc(images * (elm_value_image(&in) + elm_value_image(&out)), sizeof(float), NULL);
    b->layer = (elm_layer){.kind = kind,
                           .input = &b->in,
                           .output = &b->out,
                           .backend = b->backend,
                           .engine = b->engine};
    b->out.data = elm_alloc(floats(b, &b->out), sizeof(float), NULL);
    b->layer.input_gradient = elm_alloc(floats(b, &b->in), sizeof(float), NULL);
    b->segments[0] = (elm_segment){0, images, -1};
    b->pass =
        (elm_pass){.images = images, .training = true, .segments = b->segments, .segment_count = 1};
}

static inline float *filled(size_t count, uint32_t stream, float scale, float offset)
{
    float *x = elm_alloc(count, sizeof *x, NULL);
    pseudo_fill(x, count, stream, scale, offset);
    return x;
}

static inline void *filled_value(const bench *b, const elm_value *v, uint32_t stream, float scale,
                                 float offset)
{
    float *plain = filled(floats(b, v), stream, scale, offset);
    void *blocked = to_blocked(b, v, plain);
    elm_free(plain);
    return blocked;
}

static inline void run_bench(bench *b, float scale, float offset)
{
    elm_error err;
    if (!b->in.data)
        b->in.data = filled_value(b, &b->in, 1, scale, offset);
    b->out.gradient[0] = filled_value(b, &b->out, 3, 1, 0);
    b->out.contributions = b->out.gradient[1] ? 2 : 1;
    const elm_capacity capacity = {b->images, 4, 0};
    if (b->layer.kind->prepare(&b->layer, &capacity, &err))
        fail_msg("%s", err.text);
    if (b->layer.kind->weights_changed)
        b->layer.kind->weights_changed(&b->layer);
    b->in.recalled = b->in.data;
    b->out.recalled = b->out.data;
    b->layer.kind->forward(&b->layer, &b->pass);
    b->layer.kind->backward(&b->layer, &b->pass);
    if (b->layer.kind->backward_input)
        b->layer.kind->backward_input(&b->layer, &b->pass);
}

static inline void close_bench(bench *b)
{
    b->layer.kind->release(&b->layer);
    void *all[] = {b->in.data,
                   b->out.data,
                   b->out.gradient[0],
                   b->out.gradient[1],
                   b->layer.input_gradient,
                   b->plain,
                   b->residual.data,
                   b->layer.weight[0],
                   b->layer.weight[1],
                   b->layer.weight_gradient[0],
                   b->layer.weight_gradient[1],
                   b->layer.running[0],
                   b->layer.running[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        elm_free(all[i]);
    b->backend->close(b->engine);
}

static inline void skip_without_onednn(void)
{
    elm_error err;
    if (elm_backend_find("onednn", &err))
        return;
    print_message("no layouts but NCHW here: %s\n", err.text);
    skip();
}

/* Every layout that only oneDNN has. */
static const elm_layout layouts[] = {ELM_LAYOUT_BLOCKED, ELM_LAYOUT_NHWC, ELM_LAYOUT_NCHW};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

static inline void skip_without_bf16(void)
{
    elm_error err;
    if (!elm_backend_find("auto", &err)->check_format(ELM_BF16, &err))
        return;
    print_message("no bf16 here: %s\n", err.text);
    skip();
}

/* The last of each group. */
static inline void nothing_is_left_allocated(void **unused)
{
    (void)unused;
    assert_int_equal(0, elm_alloc_live());
}

#endif
