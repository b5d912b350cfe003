/* A NaN stays a NaN on its way through a network, as in PyTorch: neither a ReLU, nor pooling,
 * nor BatchNorm's moments make a number of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "elmpi/net.h"
#include "nn/layers/batchnorm_kernels.h"

enum { IMAGES = 3, CLASSES = 5, SIDE = 32, FEATURES = 6 };

static const char *const models[] = {"cifar-resnet8", "resnet18", "mlp:6,8,8"};
enum { MODELS = sizeof models / sizeof *models };
static const char *const backends[] = {"auto", "openblas"};

static bool takes_vectors(const char *model)
{
    return !strncmp(model, "mlp", 3);
}

/* NULL where this machine does not compute so. */
static elm_net *make_net(const char *model_name, const char *backend, elm_precision precision)
{
    elm_model_options model = {.bn = "global"};
    elm_net *net = NULL;
    elm_error err = {0};
    elm_precision resolved;
    if (elm_net_resolve_precision(precision, backend, &resolved, &err))
        return NULL;
    snprintf(model.name, sizeof model.name, "%s", model_name);
    const bool vectors = takes_vectors(model_name);
    const elm_net_spec spec = {.model = &model,
                               .channels = vectors ? 0 : 3,
                               .height = vectors ? 0 : SIDE,
                               .width = vectors ? 0 : SIDE,
                               .features = vectors ? FEATURES : 0,
                               .classes = CLASSES,
                               .max_images = IMAGES,
                               .max_batch = IMAGES,
                               .ranks = 1,
                               .backend = backend,
                               .precision = resolved,
                               .seed = 7};
    if (elm_net_create(&net, &spec, &err))
        fail_msg("%s", err.text);
    return net;
}

static const float *logits_of(elm_net *net, int broken_image, bool training)
{
    static float input[IMAGES * 3 * SIDE * SIDE];
    const int values = elm_net_view(net).state_count > 0 ? 3 * SIDE * SIDE : FEATURES;
    for (int i = 0; i < IMAGES * values; i++)
        input[i] = (float)(i % 7) - 3;
    if (broken_image >= 0)
        input[broken_image * values + values / 2] = NAN;
    elm_net_embed_all(net, input, elm_partition_of(IMAGES, 1, 0), training);
    return elm_net_classify(net);
}

static int count_nan(const float *x, int count)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += isnan(x[i]);
    return found;
}

static void each_network(void (*check)(elm_net *net))
{
    for (int m = 0; m < MODELS; m++)
        for (size_t b = 0; b < sizeof backends / sizeof *backends; b++)
            for (int p = ELM_PRECISION_FP32; p <= ELM_PRECISION_BF16; p++) {
                /* its layers of our own are the same ones */
                if (b > 0 && !strcmp(models[m], "resnet18"))
                    continue;
                elm_net *net = make_net(models[m], backends[b], (elm_precision)p);
                if (net)
                    check(net);
                elm_net_destroy(net);
            }
}

/* In evaluation an image's logits are its own. */
static void input_of_one_image(elm_net *net)
{
    const float *logits = logits_of(net, 1, false);
    assert_int_equal(0, count_nan(logits, CLASSES));
    assert_int_equal(CLASSES, count_nan(logits + CLASSES, CLASSES));
    assert_int_equal(0, count_nan(logits + 2 * CLASSES, CLASSES));
}

/* In training BatchNorm hands it to the whole batch and keeps it in the running statistics of
 * every layer. */
static void input_in_training(elm_net *net)
{
    const elm_net_parameters view = elm_net_view(net);
    const float *logits = logits_of(net, 1, true);
    assert_int_equal(view.state_count > 0 ? IMAGES * CLASSES : CLASSES,
                     count_nan(logits, IMAGES * CLASSES));
    for (int t = 0; t < view.state_count; t++)
        assert_true(count_nan(view.state_tensors[t].data, (int)view.state_tensors[t].count) > 0);
}

static void every_weight_and_statistic(elm_net *net)
{
    const elm_net_parameters view = elm_net_view(net);
    /* a large network's layers repeat */
    const int tensors = view.count + view.state_count, stride = tensors > 60 ? 7 : 1;
    for (int t = 0; t < tensors; t += stride) {
        const elm_tensor *tensor =
            t < view.count ? &view.tensors[t] : &view.state_tensors[t - view.count];
        const int64_t middle =
            /* no edge: it may see padding alone */
            tensor->dimensions == 4 ? (int64_t)tensor->shape[2] * tensor->shape[3] / 2 : 0;
        const float kept = tensor->data[middle];
        tensor->data[middle] = NAN;
        elm_net_weights_changed(net);
        if (count_nan(logits_of(net, -1, false), IMAGES * CLASSES) < IMAGES)
            fail_msg("a NaN in %s gives logits without one", tensor->name);
        tensor->data[middle] = kept;
    }
    elm_net_weights_changed(net);
    assert_int_equal(0, count_nan(logits_of(net, -1, false), IMAGES * CLASSES));
}

static void inputs_stay_nan(void **unused)
{
    (void)unused;
    each_network(input_of_one_image);
    each_network(input_in_training);
}

static void weights_and_statistics_stay_nan(void **unused)
{
    (void)unused;
    each_network(every_weight_and_statistic);
}

/* Sums that overflow are no variance of 0. */
static void moments_that_overflow(void **unused)
{
    (void)unused;
    enum { PIXELS = 40 };
    static const float extremes[] = {3e38F, -3e38F, INFINITY, NAN};
    for (size_t e = 0; e < sizeof extremes / sizeof *extremes; e++) {
        float x[PIXELS] = {0}, mean, m2;
        x[3] = extremes[e];
        x[PIXELS - 1] = -extremes[e];
        elm_plane_moments(x, PIXELS, 1, &mean, &m2, ELM_FP32);
        assert_false(isfinite(m2));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_stay_nan),
        cmocka_unit_test(weights_and_statistics_stay_nan),
        cmocka_unit_test(moments_that_overflow),
    };
    return cmocka_run_group_tests_name("NaN in networks", tests, NULL, NULL);
}
