/* BatchNorm folded into convolutions: the logits of the network as it is, for every model, layout
 * and number of images, and no BatchNorm left. */
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
#include "nn/graph.h"

enum { IMAGES = 5, CLASSES = 7, FEW = 2 };

static elm_net *make_net(const char *name, int side, const char *backend, elm_layout layout,
                         bool fold)
{
    static elm_model_options model;
    snprintf(model.name, sizeof model.name, "%s", name);
    snprintf(model.bn, sizeof model.bn, "global");
    const elm_net_spec spec = {.model = &model,
                               .channels = 3,
                               .height = side,
                               .width = side,
                               .classes = CLASSES,
                               .max_images = IMAGES,
                               .ranks = 1,
                               .backend = backend,
                               .layout = layout,
                               .seed = 7,
                               .fold_norms = fold};
    elm_net *net = NULL;
    elm_error err;
    if (elm_net_create(&net, &spec, &err))
        fail_msg("%s", err.text);
    return net;
}

/* Statistics and factors as after training: none of them 0 or 1. */
static void fill(elm_net *net)
{
    const elm_net_parameters view = elm_net_view(net);
    elm_rng rng = elm_rng_stream(5, ELM_RNG_DATA, 0, 0);
    for (int p = 0; p < view.count; p++)
        for (int64_t i = 0; view.is_norm[p] && i < view.tensors[p].count; i++)
            view.tensors[p].data[i] += 0.3f * (float)elm_rng_normal(&rng);
    for (int s = 0; s < view.state_count; s++)
        for (int64_t i = 0; i < view.state_tensors[s].count; i++)
            view.state_tensors[s].data[i] = s % 2 == 0 ? 0.2f * (float)elm_rng_normal(&rng)
                                                       : 0.5f + (float)elm_rng_uniform(&rng);
    elm_net_weights_changed(net);
}

static int count_layers(const elm_net *net, const elm_layer_kind *kind)
{
    const elm_graph *graph = elm_net_graph(net);
    int count = 0;
    for (int l = 0; l < graph->layer_count; l++)
        count += graph->layers[l].kind == kind;
    return count;
}

static void compare(elm_net *plain, elm_net *folded, const float *input, int images)
{
    const elm_partition share = elm_partition_of(images, 1, 0);
    elm_net_embed_all(plain, input, share, false);
    elm_net_embed_all(folded, input, share, false);
    const float *a = elm_net_classify(plain), *b = elm_net_classify(folded);
    double largest = 0;
    for (int i = 0; i < images * CLASSES; i++)
        largest = fmax(largest, fabs((double)a[i]));
    assert_true(largest > 0.01 && isfinite(largest));
    for (int i = 0; i < images * CLASSES; i++)
        if (!(fabs((double)a[i] - (double)b[i]) <= 1e-4 * fmax(1, largest)))
            fail_msg("logit %d of %d images: %.8g, folded %.8g", i, images, (double)a[i],
                     (double)b[i]);
}

/* left: BatchNorms whose input is not one convolution's alone */
static void check(const char *name, int side, int left, const char *backend, elm_layout layout)
{
    elm_net *plain = make_net(name, side, backend, layout, false),
            *folded = make_net(name, side, backend, layout, true);
    float *input = elm_alloc((size_t)IMAGES * 3 * side * side, sizeof *input, NULL);
    elm_rng rng = elm_rng_stream(6, ELM_RNG_DATA, 0, 0);
    for (int i = 0; i < IMAGES * 3 * side * side; i++)
        input[i] = (float)elm_rng_normal(&rng);
    fill(plain);
    fill(folded);
    const elm_net_parameters a = elm_net_view(plain), b = elm_net_view(folded);
    assert_true(a.count == b.count && a.size == b.size && a.state_count == b.state_count);
    for (int p = 0; p < a.count; p++) /* names for checkpoints */
        assert_string_equal(a.tensors[p].name, b.tensors[p].name);
    const int norms = count_layers(plain, elm_norm_layer()),
              kept = strcmp(backend, "onednn") == 0 ? left : norms;
    assert_true(norms > left);
    assert_int_equal(count_layers(folded, elm_norm_layer()), kept);
    assert_int_equal(count_layers(folded, &elm_folded_conv_layer), norms - kept);
    compare(plain, folded, input, IMAGES);
    compare(plain, folded, input, FEW); /* another batch: another primitive */
    compare(plain, folded, input, IMAGES);
    elm_net_destroy(plain);
    elm_net_destroy(folded);
    elm_free(input);
}

static void logits_agree(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int side, left;
    } nets[] = {
        {"cifar-resnet8", 16, 0},
        {"cifar-resnet32-menon", 16, 1},
        {"resnet18", 40, 0},
    };
    const int64_t live = elm_alloc_live();
    for (size_t n = 0; n < sizeof nets / sizeof *nets; n++) {
        check(nets[n].name, nets[n].side, nets[n].left, "openblas", ELM_LAYOUT_AUTO);
        if (elm_net_check_backend("onednn", NULL) != 0)
            continue;
        for (int layout = ELM_LAYOUT_AUTO; layout <= ELM_LAYOUT_NCHW; layout++)
            check(nets[n].name, nets[n].side, nets[n].left, "onednn", (elm_layout)layout);
    }
    assert_int_equal(elm_alloc_live(), live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(logits_agree)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
