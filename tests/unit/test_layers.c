/* Every layer alone against PyTorch in fp64 (tests/golden/nn_golden.py), on both backends. */
#include "nn/layers/cosine.h"
#include "unit/layer_bench.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_match_pytorch),
        cmocka_unit_test(layers_match_pytorch_in_bf16),
        cmocka_unit_test(maxpool_chooses_as_pytorch),
        cmocka_unit_test(cosines_of_extremes),
        cmocka_unit_test(layers_match_pytorch_in_every_layout),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
