/* Every layer alone, and whole networks, against PyTorch and torchvision in fp64
 * (tests/golden/nn_golden.py), on both backends. */
#include <omp.h>
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
#include "nn/layers/cosine.h"

static const golden *expected(const char *name)
{
    for (size_t i = 0; i < sizeof nn_golden / sizeof *nn_golden; i++)
        if (!strcmp(nn_golden[i].name, name))
            return &nn_golden[i];
    fail_msg("no golden value %s", name);
    return NULL;
}

static void check(const char *layer, const char *what, const float *x, size_t count,
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

static size_t floats(const bench *b, const elm_value *v)
{
    return b->images * elm_value_image(v);
}

static void *to_blocked(const bench *b, const elm_value *v, const float *plain)
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

static void to_plain(const bench *b, const elm_value *v, const void *blocked, float *plain)
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

static void check_value(const bench *b, const elm_value *v, const void *blocked, const char *layer,
                        const char *what)
{
    to_plain(b, v, blocked, b->plain);
    check(layer, what, b->plain, floats(b, v), b->who.tolerance);
}

/* As graph.c does. */
static void place(elm_value *v, int block)
{
    v->channels_last = block == ELM_BLOCK_ALL;
    v->block = v->channels_last ? v->channels : v->channels % block ? 1 : block;
}

static void open_bench(bench *b, who by, int images, const elm_layer_kind *kind, elm_value in,
                       elm_value out)
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

static float *filled(size_t count, uint32_t stream, float scale, float offset)
{
    float *x = elm_alloc(count, sizeof *x, NULL);
    pseudo_fill(x, count, stream, scale, offset);
    return x;
}

static void *filled_value(const bench *b, const elm_value *v, uint32_t stream, float scale,
                          float offset)
{
    float *plain = filled(floats(b, v), stream, scale, offset);
    void *blocked = to_blocked(b, v, plain);
    elm_free(plain);
    return blocked;
}

static void run_bench(bench *b, float scale, float offset)
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

static void close_bench(bench *b)
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

/* `after`: padding below and right of the image; `padding`: above and left. */
static void check_conv_padded(who by, const char *name, int images, int in, int side, int out,
                              int kernel, int stride, int padding, int after)
{
    bench b;
    const int to = (side + padding + after - kernel) / stride + 1;
    open_bench(&b, by, images, &elm_conv_layer,
               (elm_value){.channels = in, .height = side, .width = side},
               (elm_value){.channels = out, .height = to, .width = to});
    b.layer.kernel = kernel;
    b.layer.stride = stride;
    b.layer.padding = padding;
    const size_t weights = (size_t)out * in * kernel * kernel;
    b.layer.weight[0] = filled(weights, 2, 1, 0);
    b.layer.weight_gradient[0] = filled(weights, 9, 1, 0); /* must be set, not added to */
    run_bench(&b, 1, 0);
    check_value(&b, &b.out, b.out.data, name, "y");
    check_value(&b, &b.in, b.layer.input_gradient, name, "dx");
    check(name, "dw", b.layer.weight_gradient[0], weights, by.tolerance);
    close_bench(&b);
}

static void check_conv(who by, const char *name, int images, int in, int side, int out, int kernel,
                       int stride, int padding)
{
    check_conv_padded(by, name, images, in, side, out, kernel, stride, padding, padding);
}

static void check_norm(who by, const char *name, int channels, int side, int first_group, bool relu,
                       bool residual)
{
    bench b;
    const elm_value value = {.channels = channels, .height = side, .width = side};
    open_bench(&b, by, 4, elm_norm_layer(), value, value);
    if (first_group < 4) {
        b.segments[0].images = first_group;
        b.segments[1] = (elm_segment){first_group, 4 - first_group, -1};
        b.pass.segment_count = 2;
    }
    b.layer.relu = relu;
    b.residual = b.in;
    if (residual) {
        b.residual.data = filled_value(&b, &b.in, 4, 1, 0);
        b.layer.residual = &b.residual;
    }
    for (int p = 0; p < 2; p++) {
        b.layer.weight[p] = filled(channels, 5 + (uint32_t)p, 0.5f, p ? 0 : 1);
        b.layer.weight_gradient[p] = filled(channels, 9, 1, 0);
        b.layer.running[p] = filled(channels, 9, 0, (float)p);
    }
    run_bench(&b, 2, 3);
    check_value(&b, &b.out, b.out.data, name, "y");
    /* rounding carries a few of the inputs over the ReLU's edge, and their gradients with them */
    if (relu && by.format == ELM_BF16)
        by.tolerance = b.who.tolerance = 0.1;
    check_value(&b, &b.in, b.layer.input_gradient, name, "dx");
    if (residual)
        /* in place: the masked gradient is the residual's */
        check_value(&b, &b.out, b.out.gradient[0], name, "dr");
    static const char *const gradients[] = {"dgamma", "dbeta"}, *const states[] = {"mean", "var"};
    for (int p = 0; p < 2; p++) {
        check(name, gradients[p], b.layer.weight_gradient[p], channels, by.tolerance);
        check(name, states[p], b.layer.running[p], channels, by.tolerance);
    }
    close_bench(&b);
}

static void check_plain(who by, const char *name, const elm_layer_kind *kind, int images,
                        elm_value in, elm_value out, int stride)
{
    bench b;
    open_bench(&b, by, images, kind, in, out);
    b.layer.stride = stride;
    run_bench(&b, 1, 0);
    check_value(&b, &b.out, b.out.data, name, "y");
    check_value(&b, &b.in, b.layer.input_gradient, name, "dx");
    close_bench(&b);
}

/* In every layout, with ties in most windows and two gradient contributions. */
static void check_maxpool(who by, const char *name, int channels, int block)
{
    bench b;
    open_bench(&b, by, 3, elm_maxpool_layer(),
               (elm_value){.channels = channels, .height = 9, .width = 9},
               (elm_value){.channels = channels, .height = 5, .width = 5});
    place(&b.in, block);
    place(&b.out, block);
    b.layer.kernel = 3;
    b.layer.stride = 2;
    b.layer.padding = 1;
    b.out.gradient[1] = filled_value(&b, &b.out, 8, 1, 0);
    float *plain = filled(floats(&b, &b.in), 1, 2, 0);
    for (size_t i = 0; i < floats(&b, &b.in); i++)
        plain[i] = rintf(plain[i]);
    b.in.data = to_blocked(&b, &b.in, plain);
    elm_free(plain);
    run_bench(&b, 0, 0);
    check_value(&b, &b.out, b.out.data, name, "y");
    check_value(&b, &b.in, b.layer.input_gradient, name, "dx");
    close_bench(&b);
}

static void check_linear(who by)
{
    bench b;
    open_bench(&b, by, 4, elm_linear_layer(), (elm_value){.channels = 7, .height = 1, .width = 1},
               (elm_value){.channels = 5, .height = 1, .width = 1});
    b.layer.relu = true;
    b.layer.weight[0] = filled(35, 2, 1, 0);
    b.layer.weight[1] = filled(5, 7, 1, 0);
    b.layer.weight_gradient[0] = filled(35, 9, 1, 0);
    b.layer.weight_gradient[1] = filled(5, 9, 1, 0);
    run_bench(&b, 1, 0);
    check_value(&b, &b.out, b.out.data, "linear", "y");
    check_value(&b, &b.in, b.layer.input_gradient, "linear", "dx");
    check("linear", "dw", b.layer.weight_gradient[0], 35, by.tolerance);
    check("linear", "db", b.layer.weight_gradient[1], 5, by.tolerance);
    close_bench(&b);
}

static void check_cosine(void)
{
    enum { IMAGES = 4, IN = 7, OUT = 5 };
    float *x = filled(IMAGES * IN, 1, 3, 0), *weight = filled(OUT * IN, 2, 0.5f, 0),
          *dy = filled(IMAGES * OUT, 3, 1, 0);
    float y[IMAGES * OUT], dw[OUT * IN], dx[IMAGES * IN];
    elm_cosine *cosine;
    elm_error err;
    assert_int_equal(0, elm_cosine_create(&cosine, IMAGES, IN, OUT, &err));
    elm_cosine_forward(cosine, x, weight, y, IMAGES);
    check("cosine", "y", y, IMAGES * OUT, 1e-5);
    pseudo_fill(dw, OUT * IN, 9, 1, 0); /* is set, */
    memset(dx, 0, sizeof dx);
    elm_cosine_backward(cosine, dy, dw, dx, IMAGES);
    check("cosine", "dw", dw, OUT * IN, 1e-5);
    check("cosine", "dx", dx, IMAGES * IN, 1e-5);
    elm_cosine_backward(cosine, dy, dw, dx, IMAGES); /* is added to */
    for (int i = 0; i < IMAGES * IN; i++)
        dx[i] /= 2;
    check("cosine", "dx", dx, IMAGES * IN, 1e-5);
    elm_cosine_destroy(cosine);
    elm_free(x);
    elm_free(weight);
    elm_free(dy);
}

/* Dead embeddings have no direction, huge ones do, and no images leave no gradient. */
static void cosines_of_extremes(void **unused)
{
    (void)unused;
    const float x[] = {0, 0, 3e18f, 4e18f, 3e-11f, -4e-11f}, weight[] = {1, 0, 0, 2, 0, 0},
                dy[] = {1, 1, 1, 1, 1, 1, 0, 0, 0};
    const float expected_y[] = {0, 0, 0, 0.6f, 0.8f, 0, 0.6f, -0.8f, 0};
    float y[9], dw[6], dx[6] = {0};
    elm_cosine *cosine;
    elm_error err;
    assert_int_equal(0, elm_cosine_create(&cosine, 3, 2, 3, &err));
    elm_cosine_forward(cosine, x, weight, y, 3);
    for (int i = 0; i < 9; i++)
        assert_float_equal(expected_y[i], y[i], 1e-6);
    elm_cosine_backward(cosine, dy, dw, dx, 3);
    for (int i = 0; i < 6; i++)
        assert_true(isfinite(dx[i]) && isfinite(dw[i]));
    assert_true(dx[0] == 0 && dx[1] == 0 && dw[4] == 0 && dw[5] == 0);
    elm_cosine_backward(cosine, dy, dw, dx, 0);
    for (int i = 0; i < 6; i++)
        assert_true(dw[i] == 0);
    elm_cosine_destroy(cosine);
}

static void check_layers(who by)
{
    check_conv(by, "conv-stem", 3, 3, 8, 16, 3, 1, 1);
    check_conv(by, "conv-3x3-stride-2", 3, 16, 8, 32, 3, 2, 1);
    check_conv(by, "conv-1x1-stride-2", 3, 16, 9, 32, 1, 2, 0);
    check_conv(by, "conv-1x1", 2, 32, 5, 16, 1, 1, 0);
    check_conv(by, "conv-padding-3", 2, 3, 8, 16, 3, 1, 3);
    check_conv_padded(by, "conv-same-stride-2", 3, 16, 8, 32, 3, 2, 0, 1);
    check_norm(by, "norm", 16, 6, 4, false, false);
    check_norm(by, "norm-relu", 32, 7, 4, true, false);
    check_norm(by, "norm-residual-relu", 16, 6, 4, true, true);
    check_norm(by, "norm-groups", 16, 3, 3, true, true);
    check_plain(by, "shortcut", elm_shortcut_a_layer(), 3,
                (elm_value){.channels = 16, .height = 8, .width = 8},
                (elm_value){.channels = 32, .height = 4, .width = 4}, 2);
    check_plain(by, "pool", elm_pool_layer(), 3,
                (elm_value){.channels = 32, .height = 5, .width = 5},
                (elm_value){.channels = 32, .height = 1, .width = 1}, 1);
    check_linear(by);
}

static void check_maxpools(who by)
{
    static const int blocks[] = {1, 8, 16, ELM_BLOCK_ALL};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        check_maxpool(by, "maxpool", 32, blocks[i]);
}

static void skip_without_onednn(void)
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

static void layers_match_pytorch_in_every_layout(void **unused)
{
    (void)unused;
    skip_without_onednn();
    for (int l = 0; l < LAYOUTS; l++)
        check_layers((who){"onednn", ELM_FP32, layouts[l], 1e-5});
}

static void layers_match_pytorch(void **unused)
{
    (void)unused;
    check_layers((who){"auto", ELM_FP32, ELM_LAYOUT_AUTO, 1e-5});
    check_layers(openblas);
    check_cosine();
    check_maxpools(openblas);
}

static void skip_without_bf16(void)
{
    elm_error err;
    if (!elm_backend_find("auto", &err)->check_format(ELM_BF16, &err))
        return;
    print_message("no bf16 here: %s\n", err.text);
    skip();
}

/* Inputs, outputs and gradients with 8 significant bits each: off by some 2^-9 of the largest, a
 * few times over. */
static void layers_match_pytorch_in_bf16(void **unused)
{
    (void)unused;
    skip_without_bf16();
    for (int l = 0; l < LAYOUTS; l++) {
        const who by = {"onednn", ELM_BF16, layouts[l], 6e-3};
        check_layers(by);
        check_maxpools(by);
    }
}

/* BatchNorm's results in the order [y][dx][dr][dgamma][dbeta][mean][var], activations as NCHW. */
static float *norm_results(elm_format format, int block, int channels, int side, int threads,
                           size_t *count)
{
    bench b;
    const elm_value value = {.channels = channels, .height = side, .width = side};
    const who by = {openblas.backend, ELM_FP32, ELM_LAYOUT_AUTO, 0};
    const int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    open_bench(&b, by, 3, elm_norm_layer(), value, value);
    place(&b.in, block);
    place(&b.out, block);
    b.in.format = b.out.format = format;
    b.segments[0].images = 2;
    b.segments[1] = (elm_segment){2, 1, -1};
    b.pass.segment_count = 2;
    b.layer.relu = true;
    b.residual = b.in;
    b.residual.data = filled_value(&b, &b.in, 4, 1, 0);
    b.layer.residual = &b.residual;
    b.out.gradient[1] = filled_value(&b, &b.out, 8, 1, 0);
    for (int p = 0; p < 2; p++) {
        b.layer.weight[p] = filled(channels, 5 + (uint32_t)p, 0.5f, p ? 0 : 1);
        b.layer.weight_gradient[p] = filled(channels, 9, 1, 0);
        b.layer.running[p] = filled(channels, 9, 0, (float)p);
    }
    run_bench(&b, 2, 3);
    const size_t size = floats(&b, &b.in);
    *count = 3 * size + 4 * (size_t)channels;
    float *all = elm_alloc(*count, sizeof *all, NULL), *to = all;
    const void *arrays[] = {b.out.data, b.layer.input_gradient, b.out.gradient[0]};
    for (int a = 0; a < 3; a++, to += size)
        to_plain(&b, &b.in, arrays[a], to);
    const float *rows[] = {b.layer.weight_gradient[0], b.layer.weight_gradient[1],
                           b.layer.running[0], b.layer.running[1]};
    for (int r = 0; r < 4; r++, to += channels)
        memcpy(to, rows[r], channels * sizeof *to);
    close_bench(&b);
    omp_set_num_threads(before);
    return all;
}

/* Channels last with any number of channels, one that fills no vector and several slabs of
 * pixels among them, against NCHW; and the same bits with any number of threads. */
static void norms_agree_in_every_layout(void **unused)
{
    (void)unused;
    static const struct {
        int channels, side;
    } shapes[] = {{1, 9},  {3, 33},  {5, 4},   {10, 7},  {16, 40},
                  {17, 5}, {64, 33}, {200, 3}, {2048, 2}};
    for (size_t s = 0; s < 2 * sizeof shapes / sizeof *shapes; s++) {
        const int channels = shapes[s / 2].channels, side = shapes[s / 2].side;
        const elm_format format = s % 2 ? ELM_BF16 : ELM_FP32;
        size_t count;
        float *planes = norm_results(format, 1, channels, side, 1, &count),
              *last = norm_results(format, 0, channels, side, 1, &count),
              *threads = norm_results(format, 0, channels, side, 5, &count);
        double difference = 0, length = 0;
        for (size_t i = 0; i < count; i++) {
            difference += pow((double)last[i] - (double)planes[i], 2);
            length += pow((double)planes[i], 2);
        }
        const double error = sqrt(difference / length);
        if (!(error <= (format == ELM_BF16 ? 2e-2 : 1e-5)))
            fail_msg("%d channels, side %d: channels last is off by %g", channels, side, error);
        assert_memory_equal(last, threads, count * sizeof *last);
        elm_free(planes);
        elm_free(last);
        elm_free(threads);
    }
}

/* PyTorch's rules: a NaN wins, the first of equals gets the gradient, and padding is never
 * chosen. */
static void maxpool_chooses_as_pytorch(void **unused)
{
    (void)unused;
    bench b;
    open_bench(&b, openblas, 1, elm_maxpool_layer(),
               (elm_value){.channels = 1, .height = 4, .width = 4},
               (elm_value){.channels = 1, .height = 2, .width = 2});
    b.layer.kernel = 3;
    b.layer.stride = 2;
    b.layer.padding = 1;
    const float image[16] = {-5, -5, -INFINITY, -INFINITY, -5, -6, -INFINITY, -INFINITY,
                             1,  2,  2,         0,         1,  2,  NAN,       9};
    b.in.data = filled(16, 1, 0, 0);
    memcpy(b.in.data, image, sizeof image);
    run_bench(&b, 0, 0);
    const float *y = b.out.data, *dx = b.layer.input_gradient, *dy = b.out.gradient[0];
    assert_true(y[0] == -5 && y[1] == -5 && y[2] == 2 && isnan(y[3]));
    const float expected[16] = {dy[0], dy[1], 0, 0, 0, 0, 0, 0, 0, dy[2], 0, 0, 0, 0, dy[3], 0};
    assert_memory_equal(expected, dx, sizeof expected);
    close_bench(&b);
}

/* The generator's scales, by what a parameter is. */
static void fill_weights(elm_net *net)
{
    const elm_net_parameters view = elm_net_view(net);
    for (int p = 0; p < view.count; p++) {
        const elm_tensor *t = &view.tensors[p];
        const bool gamma = view.is_norm[p] && strstr(t->name, "weight");
        float scale = view.is_norm[p] ? 0.25f : 0.3f;
        if (t->dimensions == 4)
            scale = (float)(1.5 / sqrt((double)(t->shape[1] * t->shape[2] * t->shape[3])));
        pseudo_fill(t->data, (size_t)t->count, 100 + (uint32_t)p, scale, gamma ? 1 : 0);
    }
    elm_net_weights_changed(net);
}

/* `by.tolerance` is of outputs and running statistics, `tolerance` of gradients. */
static void check_network_with(who by, elm_net_head head, const char *title, const char *model_name,
                               int images, int side, double tolerance)
{
    enum { CLASSES = 5 };
    elm_model_options model = {.bn = "global", .head = head};
    snprintf(model.name, sizeof model.name, "%s", model_name);
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = side,
                               .width = side,
                               .classes = CLASSES,
                               .max_images = images,
                               .max_batch = images,
                               .ranks = 1,
                               .backend = by.backend,
                               .precision =
                                   by.format == ELM_BF16 ? ELM_PRECISION_BF16 : ELM_PRECISION_FP32,
                               .layout = by.layout};
    elm_net *net;
    elm_error err;
    if (elm_net_create(&net, &spec, &err))
        fail_msg("%s", err.text);
    fill_weights(net);
    float *input = filled((size_t)images * 3 * side * side, 1, 1, 0);
    const float *phi = elm_net_embed_all(net, input, elm_partition_of(images, 1, 0), true),
                *logits = elm_net_classify(net);
    const int width = elm_net_width(net);
    check(title, "phi", phi, (size_t)images * width, by.tolerance);
    check(title, "logits", logits, (size_t)images * CLASSES, by.tolerance);
    for (int i = 0; i < images * width; i++)
        elm_net_embeddings_gradient(net)[i] = pseudo(3, (uint32_t)i) + phi[i];
    for (int i = 0; i < images * CLASSES; i++)
        elm_net_logits_gradient(net)[i] = pseudo(4, (uint32_t)i) + logits[i];
    elm_net_backward_all(net, NULL);
    const elm_net_parameters view = elm_net_view(net);
    char what[128];
    for (int p = 0; p < view.count; p++) {
        snprintf(what, sizeof what, "gradient.%s", view.tensors[p].name);
        check(title, what, view.gradients + view.tensors[p].offset, (size_t)view.tensors[p].count,
              tolerance);
    }
    for (int s = 0; s < view.state_count; s++) {
        snprintf(what, sizeof what, "state.%s", view.state_tensors[s].name);
        check(title, what, view.state_tensors[s].data, (size_t)view.state_tensors[s].count,
              by.tolerance);
    }
    elm_free(input);
    elm_net_destroy(net);
}

static void check_network(who by, const char *title, const char *model_name, int images, int side,
                          double tolerance)
{
    check_network_with(by, ELM_HEAD_AUTO, title, model_name, images, side, tolerance);
}

static void check_networks(who by)
{
    check_network(by, "resnet8", "cifar-resnet8", 6, 8, 2e-2);
    check_network_with(by, ELM_HEAD_COSINE, "resnet8-cosine", "cifar-resnet8", 6, 8, 2e-2);
    check_network(by, "menon", "cifar-resnet32-menon", 6, 12, 2e-2);
    check_network(by, "resnet18", "resnet18", 4, 64, 2e-2);
}

static void networks_match_pytorch(void **unused)
{
    (void)unused;
    const who automatic = {"auto", ELM_FP32, ELM_LAYOUT_AUTO, 1e-4};
    check_networks(automatic);
    check_networks((who){"openblas", ELM_FP32, ELM_LAYOUT_AUTO, 1e-4});
    /* 50 layers of ReLUs near zero: PyTorch's own fp32 gradients are 1.6e-2 away from its fp64
     * ones here, those of other kernels up to 3e-2. */
    check_network(automatic, "resnet50", "resnet50", 4, 96, 5e-2);
}

static void networks_match_pytorch_channels_last(void **unused)
{
    (void)unused;
    const who by = {"onednn", ELM_FP32, ELM_LAYOUT_NHWC, 1e-4};
    skip_without_onednn();
    check_networks(by);
    check_network(by, "resnet50", "resnet50", 4, 96, 5e-2);
}

/* ReLUs near zero open or close with the last bits, so gradients are off by more than outputs
 * are. */
static void networks_match_pytorch_in_bf16(void **unused)
{
    (void)unused;
    skip_without_bf16();
    for (int l = 0; l < LAYOUTS; l++)
        check_network((who){"onednn", ELM_BF16, layouts[l], 5e-2}, "resnet8", "cifar-resnet8", 6, 8,
                      0.3);
}

static const elm_tensor *tensor_named(const elm_tensor *tensors, int count, const char *name)
{
    for (int t = 0; t < count; t++)
        if (!strcmp(tensors[t].name, name))
            return &tensors[t];
    return NULL;
}

/* Every tensor of torchvision's state_dict, and no other. */
static void check_names(const char *model_name)
{
    elm_model_options model = {.bn = "rank"};
    snprintf(model.name, sizeof model.name, "%s", model_name);
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = 32,
                               .width = 32,
                               .classes = 1000,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = "auto"};
    elm_net *net;
    elm_error err;
    assert_int_equal(0, elm_net_create(&net, &spec, &err));
    const elm_net_parameters view = elm_net_view(net);
    int expected_count = 0;
    for (size_t i = 0; i < sizeof torchvision_tensors / sizeof *torchvision_tensors; i++) {
        const struct torchvision_tensor *expected_tensor = &torchvision_tensors[i];
        if (strcmp(expected_tensor->model, model_name) != 0)
            continue;
        const elm_tensor *ours = tensor_named(view.tensors, view.count, expected_tensor->name);
        ours =
            ours ? ours : tensor_named(view.state_tensors, view.state_count, expected_tensor->name);
        if (!ours || memcmp(ours->shape, expected_tensor->shape, sizeof ours->shape) != 0)
            fail_msg("%s: %s is missing or has another shape", model_name, expected_tensor->name);
        expected_count++;
    }
    assert_true(expected_count > 0);
    assert_int_equal(expected_count, view.count + view.state_count);
    elm_net_destroy(net);
}

static void names_are_torchvisions(void **unused)
{
    (void)unused;
    check_names("resnet18");
    check_names("resnet50");
}

static void nothing_is_left_allocated(void **unused)
{
    (void)unused;
    assert_int_equal(0, elm_alloc_live());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_match_pytorch),
        cmocka_unit_test(layers_match_pytorch_in_bf16),
        cmocka_unit_test(maxpool_chooses_as_pytorch),
        cmocka_unit_test(networks_match_pytorch),
        cmocka_unit_test(networks_match_pytorch_in_bf16),
        cmocka_unit_test(cosines_of_extremes),
        cmocka_unit_test(layers_match_pytorch_in_every_layout),
        cmocka_unit_test(networks_match_pytorch_channels_last),
        cmocka_unit_test(norms_agree_in_every_layout),
        cmocka_unit_test(names_are_torchvisions),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
