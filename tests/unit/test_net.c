/* The network against itself: every layer's gradients by finite differences, both backends,
 * BatchNorm's scopes, steady memory. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "elmpi/memory.h"
#include "elmpi/net.h"

enum { IMAGES = 6, CLASSES = 5, SIDE = 8 };

/* backend: its name, or "nhwc" for oneDNN with channels last. */
static elm_net *make_net_training(elm_net_train train, const char *name, const char *bn,
                                  const char *backend, int features)
{
    const bool last = strcmp(backend, "nhwc") == 0;
    static elm_model_options model;
    model.train = train;
    snprintf(model.name, sizeof model.name, "%s", name);
    snprintf(model.bn, sizeof model.bn, "%s", bn);
    const elm_net_spec spec = {
        .model = &model,
        .channels = features ? 0 : 3,
        .height = features ? 0 : SIDE,
        .width = features ? 0 : SIDE,
        .features = features,
        .classes = CLASSES,
        .max_images = IMAGES,
        .max_batch = IMAGES,
        .ranks = 1,
        .backend = last ? "onednn" : backend,
        .layout = last ? ELM_LAYOUT_NHWC : ELM_LAYOUT_AUTO,
        .seed = 7,
    };
    elm_net *net = NULL;
    elm_error err;
    if (elm_net_create(&net, &spec, &err))
        fail_msg("%s", err.text);
    assert_true(!last || elm_net_layout(net) == ELM_LAYOUT_NHWC);
    return net;
}

/* Channels last is oneDNN's alone. */
static bool has_channels_last(void)
{
    elm_error err;
    return elm_net_check_backend("onednn", &err) == 0;
}

static elm_net *make_net(const char *name, const char *bn, const char *backend, int features)
{
    return make_net_training(ELM_TRAIN_ALL, name, bn, backend, features);
}

static float *noise(size_t count, uint64_t stream)
{
    float *x = elm_alloc(count, sizeof *x, NULL);
    elm_rng rng = elm_rng_stream(3, ELM_RNG_DATA, stream, 0);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)elm_rng_normal(&rng);
    return x;
}

/* A loss that sees logits and embeddings: sum of weight * value + value^2 / 2. */
static double probe(elm_net *net, const float *input, const float *weights, bool with_gradient)
{
    const elm_partition share = elm_partition_of(IMAGES, 1, 0);
    const float *phi = elm_net_embed_all(net, input, share, true), *logits = elm_net_classify(net);
    const int width = elm_net_width(net);
    double loss = 0;
    for (int i = 0; i < IMAGES * width; i++) {
        loss += (double)weights[i] * (double)phi[i] + 0.5 * (double)phi[i] * (double)phi[i];
        elm_net_embeddings_gradient(net)[i] = weights[i] + phi[i];
    }
    for (int i = 0; i < IMAGES * CLASSES; i++) {
        loss += (double)weights[i + 7] * (double)logits[i] +
                0.5 * (double)logits[i] * (double)logits[i];
        elm_net_logits_gradient(net)[i] = weights[i + 7] + logits[i];
    }
    if (with_gradient)
        elm_net_backward_all(net, NULL);
    return loss;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Directional derivatives along random directions of each tensor. ReLU's kinks make single steps
 * jump, so the median error of several directions counts. */
static double tensor_error(elm_net *net, const float *input, const float *weights,
                           const elm_tensor *tensor, const float *gradient, const float *state)
{
    enum { DIRECTIONS = 5 };
    const elm_net_parameters view = elm_net_view(net);
    double errors[DIRECTIONS], norm = 0;
    float *saved = elm_alloc((size_t)tensor->count, sizeof *saved, NULL);
    memcpy(saved, tensor->data, (size_t)tensor->count * sizeof *saved);
    for (int64_t i = 0; i < tensor->count; i++)
        norm += (double)gradient[i] * (double)gradient[i];
    for (int d = 0; d < DIRECTIONS; d++) {
        float *direction = noise((size_t)tensor->count, 100 + (uint64_t)d);
        double length = 0, slope = 0, loss[2];
        for (int64_t i = 0; i < tensor->count; i++)
            length += (double)direction[i] * (double)direction[i];
        /* Half random, half along the gradient, so that the slope is not lost in rounding. */
        for (int64_t i = 0; i < tensor->count; i++)
            direction[i] = (float)((double)direction[i] / sqrt(length) +
                                   (double)gradient[i] / (sqrt(norm) + 1e-30));
        const double step = 2e-3;
        for (int side = 0; side < 2; side++) {
            for (int64_t i = 0; i < tensor->count; i++)
                tensor->data[i] = saved[i] + (float)((side ? -step : step) * (double)direction[i]);
            elm_net_weights_changed(net);
            loss[side] = probe(net, input, weights, false);
            memcpy(view.state, state, (size_t)view.state_size * sizeof *state);
        }
        for (int64_t i = 0; i < tensor->count; i++)
            slope += (double)gradient[i] * (double)direction[i];
        errors[d] = fabs((loss[0] - loss[1]) / (2 * step) - slope) / (fabs(slope) + 1e-3);
        memcpy(tensor->data, saved, (size_t)tensor->count * sizeof *saved);
        elm_free(direction);
    }
    elm_free(saved);
    elm_net_weights_changed(net);
    qsort(errors, DIRECTIONS, sizeof *errors, by_size);
    return errors[DIRECTIONS / 2];
}

static void check_gradients(elm_net_train train, const char *name, const char *bn,
                            const char *backend, int features)
{
    elm_net *net = make_net_training(train, name, bn, backend, features);
    const elm_net_parameters view = elm_net_view(net);
    const size_t input_size = features ? (size_t)features : 3 * SIDE * SIDE;
    float *input = noise(IMAGES * input_size, 1), *weights = noise(IMAGES * 64 + 64, 2);
    float *state = elm_alloc((size_t)view.state_size, sizeof *state, NULL),
          *gradient = elm_alloc((size_t)view.size, sizeof *gradient, NULL);
    memcpy(state, view.state, (size_t)view.state_size * sizeof *state);
    probe(net, input, weights, true);
    memcpy(gradient, view.gradients, (size_t)view.size * sizeof *gradient);
    for (int t = view.trainable_first; t < view.learn_end; t++) {
        const double error = tensor_error(net, input, weights, &view.tensors[t],
                                          gradient + view.tensors[t].offset, state);
        if (error > 2e-2)
            fail_msg("%s, bn=%s, %s: gradient of %s is off by %g", name, bn, backend,
                     view.tensors[t].name, error);
    }
    elm_free(gradient);
    elm_free(state);
    elm_free(weights);
    elm_free(input);
    elm_net_destroy(net);
}

/* Deep stacks of BatchNorm bend too much for finite differences in fp32: the menon network's
 * gradients are held to PyTorch's instead (tests/golden). */
static void gradients_match_finite_differences(void **unused)
{
    (void)unused;
    check_gradients(ELM_TRAIN_ALL, "cifar-resnet8", "global", "auto", 0);
    check_gradients(ELM_TRAIN_ALL, "cifar-resnet8", "group:4", "auto", 0);
    check_gradients(ELM_TRAIN_ALL, "cifar-resnet8", "global", "openblas", 0);
    if (has_channels_last()) {
        check_gradients(ELM_TRAIN_ALL, "cifar-resnet8", "global", "nhwc", 0);
        check_gradients(ELM_TRAIN_ALL, "cifar-resnet8", "group:4", "nhwc", 0);
    }
    check_gradients(ELM_TRAIN_ALL, "mlp:16,8,4", "global", "auto", 2);
    check_gradients(ELM_TRAIN_BACKBONE, "cifar-resnet8", "global", "auto", 0);
    check_gradients(ELM_TRAIN_CLASSIFIER, "cifar-resnet8", "global", "auto", 0);
    check_gradients(ELM_TRAIN_SCALE, "cifar-resnet8", "group:4", "auto", 0);
}

static elm_net *make_cosine_net(elm_net_train train)
{
    const elm_model_options model = {
        .name = "cifar-resnet8", .bn = "global", .train = train, .head = ELM_HEAD_COSINE};
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = SIDE,
                               .width = SIDE,
                               .classes = CLASSES,
                               .max_images = IMAGES,
                               .max_batch = IMAGES,
                               .ranks = 1,
                               .backend = "auto",
                               .seed = 7};
    elm_net *net = NULL;
    elm_error err;
    if (elm_net_create(&net, &spec, &err))
        fail_msg("%s", err.text);
    return net;
}

/* No bias, class vectors of length 1 at first, logits that no length of theirs changes; any part
 * may learn. */
static void cosine_heads_see_directions(void **unused)
{
    (void)unused;
    float *input = noise(IMAGES * 3 * SIDE * SIDE, 1), *weights = noise(IMAGES * 64 + 64, 2);
    static const elm_net_train trains[] = {ELM_TRAIN_ALL, ELM_TRAIN_BACKBONE, ELM_TRAIN_CLASSIFIER,
                                           ELM_TRAIN_SCALE};
    for (size_t i = 0; i < sizeof trains / sizeof *trains; i++) {
        elm_net *net = make_cosine_net(trains[i]);
        const elm_net_parameters view = elm_net_view(net);
        const elm_tensor *fc = &view.tensors[view.count - 1 - (trains[i] == ELM_TRAIN_SCALE)];
        assert_string_equal("fc.weight", fc->name);
        for (int c = 0; c < CLASSES; c++) {
            double length = 0;
            for (int k = 0; k < 64; k++)
                length += (double)fc->data[c * 64 + k] * (double)fc->data[c * 64 + k];
            assert_float_equal(length, 1, 1e-6);
        }
        probe(net, input, weights, true);
        const int64_t before = elm_alloc_calls();
        probe(net, input, weights, true);
        assert_int_equal(before, elm_alloc_calls());
        if (trains[i] != ELM_TRAIN_CLASSIFIER && trains[i] != ELM_TRAIN_ALL) {
            elm_net_destroy(net);
            continue;
        }
        const float *gradient = view.gradients + fc->offset;
        float logits[IMAGES * CLASSES];
        memcpy(logits, elm_net_classify(net), sizeof logits);
        for (int c = 0; c < CLASSES; c++) {
            double along = 0;
            for (int k = 0; k < 64; k++) {
                along += (double)gradient[c * 64 + k] * (double)fc->data[c * 64 + k];
                fc->data[c * 64 + k] *= (float)(c + 2);
            }
            assert_float_equal(along, 0, 1e-5);
        }
        elm_net_weights_changed(net);
        const float *again = elm_net_classify(net);
        for (int k = 0; k < IMAGES * CLASSES; k++) {
            assert_float_equal(logits[k], again[k], 1e-6);
            assert_true(fabsf(again[k]) <= 1.000001f);
        }
        elm_net_destroy(net);
    }
    elm_free(weights);
    elm_free(input);
}

/* What learns is a run of whole parameters; a resting backbone passes images as in evaluation
 * and keeps its state. */
static void parts_may_rest(void **unused)
{
    (void)unused;
    static const struct {
        elm_net_train train;
        const char *first, *last;
        bool state_moves;
    } cases[] = {
        {ELM_TRAIN_ALL, "conv1.weight", "fc.bias", true},
        {ELM_TRAIN_BACKBONE, "conv1.weight", "layer3.0.bn2.bias", true},
        {ELM_TRAIN_CLASSIFIER, "fc.weight", "fc.bias", false},
        {ELM_TRAIN_SCALE, "fc.scale", "fc.scale", false},
    };
    float *input = noise(IMAGES * 3 * SIDE * SIDE, 1), *weights = noise(IMAGES * 64 + 64, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        elm_net *net = make_net_training(cases[i].train, "cifar-resnet8", "global", "auto", 0);
        const elm_net_parameters view = elm_net_view(net);
        assert_string_equal(view.tensors[view.trainable_first].name, cases[i].first);
        assert_string_equal(view.tensors[view.learn_end - 1].name, cases[i].last);
        float *state = elm_alloc((size_t)view.state_size, sizeof *state, NULL),
              logits[IMAGES * CLASSES];
        memcpy(state, view.state, (size_t)view.state_size * sizeof *state);
        probe(net, input, weights, true);
        assert_int_equal(memcmp(state, view.state, (size_t)view.state_size * sizeof *state) != 0,
                         cases[i].state_moves);
        if (!cases[i].state_moves) {
            memcpy(logits, elm_net_classify(net), sizeof logits);
            elm_net_embed_all(net, input, elm_partition_of(IMAGES, 1, 0), false);
            assert_memory_equal(logits, elm_net_classify(net), sizeof logits);
        }
        elm_free(state);
        elm_net_destroy(net);
    }
    elm_free(weights);
    elm_free(input);
}

/* Largest difference relative to the largest value. */
static double distance(const float *a, const float *b, size_t count)
{
    double most = 0, scale = 0;
    for (size_t i = 0; i < count; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)a[i]));
    }
    return most / (scale + 1e-30);
}

static void check_agreement(const char *backend)
{
    float *input = noise(IMAGES * 3 * SIDE * SIDE, 1), *weights = noise(IMAGES * 64 + 64, 2);
    elm_net *a = make_net("cifar-resnet8", "global", "auto", 0),
            *b = make_net("cifar-resnet8", "global", backend, 0);
    const double loss_a = probe(a, input, weights, true), loss_b = probe(b, input, weights, true);
    assert_true(fabs(loss_a - loss_b) < 1e-5 * fabs(loss_a));
    const elm_net_parameters va = elm_net_view(a), vb = elm_net_view(b);
    assert_true(distance(va.gradients, vb.gradients, (size_t)va.size) < 1e-4);
    assert_true(distance(va.state, vb.state, (size_t)va.state_size) < 1e-5);
    elm_net_destroy(a);
    elm_net_destroy(b);
    elm_free(weights);
    elm_free(input);
}

static void backends_agree(void **unused)
{
    (void)unused;
    check_agreement("openblas");
    if (has_channels_last())
        check_agreement("nhwc");
}

/* A layout that the backend does not have is refused with those that it has. */
static void layouts_are_checked(void **unused)
{
    (void)unused;
    elm_model_options model = {.name = "cifar-resnet8", .bn = "global"};
    static const elm_layout missing[] = {ELM_LAYOUT_BLOCKED, ELM_LAYOUT_NHWC};
    for (int i = 0; i < 2; i++) {
        const elm_net_spec spec = {.model = &model,
                                   .channels = 3,
                                   .height = SIDE,
                                   .width = SIDE,
                                   .classes = CLASSES,
                                   .max_images = 1,
                                   .backend = "openblas",
                                   .layout = missing[i]};
        elm_net *net = NULL;
        elm_error err;
        assert_int_equal(-1, elm_net_create(&net, &spec, &err));
        assert_int_equal(ELM_EXIT_USAGE, err.code);
        assert_non_null(strstr(err.text, "run.layout"));
    }
}

/* Passing the same images through an evaluation pass uses running statistics and leaves them
 * alone. */
static void evaluation_leaves_the_state(void **unused)
{
    (void)unused;
    float *input = noise(IMAGES * 3 * SIDE * SIDE, 1), *weights = noise(IMAGES * 64 + 64, 2);
    elm_net *net = make_net("cifar-resnet8", "global", "auto", 0);
    probe(net, input, weights, true);
    const elm_net_parameters view = elm_net_view(net);
    float *state = elm_alloc((size_t)view.state_size, sizeof *state, NULL);
    memcpy(state, view.state, (size_t)view.state_size * sizeof *state);
    float one[64], all[64];
    elm_net_embed_all(net, input, elm_partition_of(IMAGES, 1, 0), false);
    memcpy(all, elm_net_classify(net), CLASSES * sizeof *all);
    elm_net_embed_all(net, input, elm_partition_of(1, 1, 0), false);
    memcpy(one, elm_net_classify(net), CLASSES * sizeof *one);
    assert_memory_equal(state, view.state, (size_t)view.state_size * sizeof *state);
    /* an image's logits do not depend on its neighbors */
    assert_true(distance(one, all, CLASSES) < 1e-5);
    elm_free(state);
    elm_net_destroy(net);
    elm_free(weights);
    elm_free(input);
}

static void check_steady(const char *backend)
{
    float *input = noise(IMAGES * 3 * SIDE * SIDE, 1), *weights = noise(IMAGES * 64 + 64, 2);
    elm_net *net = make_net("cifar-resnet8", "global", backend, 0);
    probe(net, input, weights, true);
    const int64_t before = elm_alloc_calls();
    for (int i = 0; i < 3; i++)
        probe(net, input, weights, true);
    assert_int_equal(before, elm_alloc_calls());
    elm_net_destroy(net);
    elm_free(weights);
    elm_free(input);
}

static void steady_passes_allocate_nothing(void **unused)
{
    (void)unused;
    check_steady("auto");
    if (has_channels_last())
        check_steady("nhwc");
}

static void unknown_names_are_refused(void **unused)
{
    (void)unused;
    elm_error err;
    static const char *const bad[] = {
        "cifar-resnet33",        "resnet",  "mlp:", "mlp:4,,2", "mlp:0", "",
        "cifar-resnet32-menon2", "resnet51"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(-1, elm_net_check_name(bad[i], &err));
        assert_int_equal(ELM_EXIT_USAGE, err.code);
        assert_non_null(strstr(err.text, "cifar-resnet"));
    }
    assert_int_equal(-1, elm_net_check_backend("cuda", &err));
    assert_int_equal(0, elm_net_check_name("cifar-resnet32-menon", &err));
}

/* Only the last BatchNorm of each block begins at 0. */
static void last_gammas_may_begin_at_zero(void **unused)
{
    (void)unused;
    elm_model_options model = {.name = "resnet50", .bn = "rank", .zero_init_gamma = true};
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = 32,
                               .width = 32,
                               .classes = CLASSES,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = "auto"};
    elm_net *net = NULL;
    elm_error err;
    assert_int_equal(0, elm_net_create(&net, &spec, &err));
    const elm_net_parameters view = elm_net_view(net);
    int zeros = 0;
    for (int p = 0; p < view.count; p++)
        if (view.is_norm[p] && strstr(view.tensors[p].name, ".weight")) {
            const bool last = strstr(view.tensors[p].name, ".bn3.");
            assert_true(view.tensors[p].data[0] == (last ? 0 : 1));
            zeros += last;
        }
    assert_int_equal(16, zeros);
    elm_net_destroy(net);
}

/* Keras's he_normal: nothing beyond two deviations of the normal that is cut, variance 2 /
 * fan-in after the cut. */
static void menon_begins_as_keras_does(void **unused)
{
    (void)unused;
    elm_model_options model = {.name = "cifar-resnet32-menon", .bn = "global"};
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = 32,
                               .width = 32,
                               .classes = CLASSES,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = "auto"};
    elm_net *net = NULL;
    elm_error err;
    assert_int_equal(0, elm_net_create(&net, &spec, &err));
    const elm_net_parameters view = elm_net_view(net);
    double square = 0, largest = 0;
    int64_t count = 0;
    for (int p = 0; p < view.count; p++) {
        const elm_tensor *t = &view.tensors[p];
        if (t->dimensions != 4)
            continue;
        const double std = sqrt(2.0 / (double)(t->shape[1] * t->shape[2] * t->shape[3]));
        for (int64_t i = 0; i < t->count; i++) {
            const double z = (double)t->data[i] / std;
            square += z * z;
            largest = fmax(largest, fabs(z));
        }
        count += t->count;
    }
    assert_true(fabs(square / (double)count - 1) < 0.01);
    assert_true(largest > 2.2 && largest < 2 / 0.8796); /* 2 / 0.8796 = 2.274 */
    elm_net_destroy(net);
}

/* The public code's network is for square images. */
static void menon_refuses_oblong_images(void **unused)
{
    (void)unused;
    elm_model_options model = {.name = "cifar-resnet32-menon", .bn = "global"};
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = 32,
                               .width = 40,
                               .classes = CLASSES,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = "auto"};
    elm_net *net = NULL;
    elm_error err;
    assert_int_equal(-1, elm_net_create(&net, &spec, &err));
    assert_int_equal(ELM_EXIT_USAGE, err.code);
    assert_non_null(strstr(err.text, "square"));
}

/* Images that the last stage would leave nothing of. */
static void small_images_are_refused(void **unused)
{
    (void)unused;
    elm_model_options model = {.name = "resnet18", .bn = "rank"};
    const elm_net_spec spec = {.model = &model,
                               .channels = 1,
                               .height = 8,
                               .width = 8,
                               .classes = CLASSES,
                               .max_images = 1,
                               .ranks = 1,
                               .backend = "auto"};
    elm_net *net = NULL;
    elm_error err;
    assert_int_equal(-1, elm_net_create(&net, &spec, &err));
    assert_int_equal(ELM_EXIT_USAGE, err.code);
    assert_non_null(strstr(err.text, "cifar-resnet"));
}

/* He et al. 2016, Table 6: 0.46 M parameters for ResNet-32 with 10 classes. */
static void sizes_are_the_papers(void **unused)
{
    (void)unused;
    elm_net *net = make_net("cifar-resnet32", "global", "auto", 0);
    const elm_net_parameters view = elm_net_view(net);
    assert_int_equal(464154 - (64 * 10 + 10) + (64 * CLASSES + CLASSES), view.size);
    elm_net_destroy(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_match_finite_differences),
        cmocka_unit_test(parts_may_rest),
        cmocka_unit_test(cosine_heads_see_directions),
        cmocka_unit_test(backends_agree),
        cmocka_unit_test(evaluation_leaves_the_state),
        cmocka_unit_test(steady_passes_allocate_nothing),
        cmocka_unit_test(layouts_are_checked),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(sizes_are_the_papers),
        cmocka_unit_test(last_gammas_may_begin_at_zero),
        cmocka_unit_test(small_images_are_refused),
        cmocka_unit_test(menon_begins_as_keras_does),
        cmocka_unit_test(menon_refuses_oblong_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
