/* Weights by name: what is exported loads back; what does not fit is refused before anything is
 * copied. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "nn/weights.h"

enum { TENSORS_MAX = 128 };

static elm_net *make_net_to_train(const char *model, int classes, uint64_t seed,
                                  elm_net_train train)
{
    elm_model_options options = {.bn = "global", .train = train};
    snprintf(options.name, sizeof options.name, "%s", model);
    const elm_net_spec spec = {.model = &options,
                               .channels = 3,
                               .height = 8,
                               .width = 8,
                               .classes = classes,
                               .max_images = 2,
                               .ranks = 1,
                               .backend = "openblas",
                               .seed = seed};
    elm_net *net = NULL;
    elm_error err = {0};
    if (elm_net_create(&net, &spec, &err) != 0)
        fail_msg("%s", err.text);
    return net;
}

static elm_net *make_net(const char *model, int classes, uint64_t seed)
{
    return make_net_to_train(model, classes, seed, ELM_TRAIN_ALL);
}

/* A network and its tensors as a checkpoint would list them, momentum of the last among them. */
typedef struct source {
    elm_net *net;
    elm_tensor tensors[TENSORS_MAX];
    int count;
} source;

static int set_up(void **state)
{
    static source s;
    s.net = make_net("cifar-resnet8", 10, 1);
    s.count = elm_weights_count(s.net);
    assert_true(s.count < TENSORS_MAX);
    assert_int_equal(elm_weights_export(s.net, s.tensors, NULL), 0);
    s.tensors[s.count] = s.tensors[s.count - 1];
    strcpy(s.tensors[s.count++].name, "optimizer/momentum/fc.bias");
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    source *s = *state;
    elm_net_destroy(s->net);
    assert_int_equal(elm_alloc_live(), 0);
    return 0;
}

static bool equal(elm_net *a, elm_net *b)
{
    const elm_net_parameters x = elm_net_view(a), y = elm_net_view(b);
    return x.size == y.size && x.state_size == y.state_size &&
           memcmp(x.weights, y.weights, (size_t)x.size * sizeof(float)) == 0 &&
           memcmp(x.state, y.state, (size_t)x.state_size * sizeof(float)) == 0;
}

static const elm_tensor *find(const source *s, const char *name)
{
    for (int i = 0; i < s->count; i++)
        if (strcmp(s->tensors[i].name, name) == 0)
            return &s->tensors[i];
    fail_msg("%s is not exported", name);
    return NULL;
}

static void export_names_everything_once(void **state)
{
    const source *s = *state;
    const elm_net_parameters view = elm_net_view(s->net);
    assert_int_equal(s->count - 1, view.count + view.state_count);
    int64_t floats = 0;
    for (int i = 0; i < s->count - 1; i++) {
        assert_int_equal(strncmp(s->tensors[i].name, "model/", 6), 0);
        floats += s->tensors[i].count;
    }
    assert_int_equal(floats, view.size + view.state_size);
    assert_int_equal(find(s, "model/fc.weight")->shape[0], 10);
    assert_int_equal(find(s, "model/bn1.running_mean")->dimensions, 1);
}

static void what_is_exported_loads_back(void **state)
{
    source *s = *state;
    elm_net *other = make_net("cifar-resnet8", 10, 2);
    const elm_net_parameters view = elm_net_view(s->net);
    view.state[0] = 0.25f; /* statistics travel too */
    assert_false(equal(s->net, other));
    elm_error err = {0};
    if (elm_weights_load(other, s->tensors, s->count, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(equal(s->net, other));

    /* The loaded weights are the ones that compute. */
    float input[2 * 3 * 8 * 8], logits[20];
    for (int i = 0; i < 2 * 3 * 8 * 8; i++)
        input[i] = (float)(i % 7) - 3;
    elm_net_embed_all(s->net, input, elm_partition_of(2, 1, 0), false);
    memcpy(logits, elm_net_classify(s->net), sizeof logits);
    elm_net_embed_all(other, input, elm_partition_of(2, 1, 0), false);
    assert_memory_equal(logits, elm_net_classify(other), sizeof logits);
    elm_net_destroy(other);
}

/* Loading fails, says `says`, and leaves the network as it was. */
static void refused(elm_net *net, const elm_tensor *tensors, int count, const char *says)
{
    const elm_net_parameters view = elm_net_view(net);
    float *before = elm_alloc((size_t)view.size, sizeof *before, NULL);
    assert_non_null(before);
    memcpy(before, view.weights, (size_t)view.size * sizeof *before);
    elm_error err = {0};
    assert_int_equal(elm_weights_load(net, tensors, count, &err), -1);
    assert_int_equal(err.code, ELM_EXIT_FAILURE);
    if (strstr(err.text, says) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, says);
    assert_memory_equal(before, view.weights, (size_t)view.size * sizeof *before);
    elm_free(before);
    elm_net_destroy(net);
}

static void another_class_count_is_refused(void **state)
{
    const source *s = *state;
    refused(make_net("cifar-resnet8", 7, 2), s->tensors, s->count,
            "model/fc.weight is [10 x 64], the network needs [7 x 64]");
}

static void a_missing_tensor_is_refused(void **state)
{
    const source *s = *state;
    refused(make_net("cifar-resnet20", 10, 2), s->tensors, s->count, "lacks a weight");
    refused(make_net("cifar-resnet8", 10, 2), s->tensors + 1, s->count - 1, "lacks a weight");
}

static void a_left_over_tensor_is_refused(void **state)
{
    source *s = *state;
    s->tensors[s->count] = s->tensors[0];
    strcpy(s->tensors[s->count].name, "model/layer9.0.conv1.weight");
    refused(make_net("cifar-resnet8", 10, 2), s->tensors, s->count + 1, "layer9.0.conv1.weight");
}

static void logits_of(elm_net *net, float logits[20])
{
    float input[2 * 3 * 8 * 8];
    for (int i = 0; i < 2 * 3 * 8 * 8; i++)
        input[i] = (float)(i % 11) - 5;
    elm_net_embed_all(net, input, elm_partition_of(2, 1, 0), false);
    memcpy(logits, elm_net_classify(net), 20 * sizeof *logits);
}

/* A stage after LWS begins with what LWS predicts. */
static void a_scale_is_folded_into_the_weights(void **state)
{
    (void)state;
    elm_net *scaled = make_net_to_train("cifar-resnet8", 10, 5, ELM_TRAIN_SCALE),
            *plain = make_net("cifar-resnet8", 10, 6);
    elm_tensor tensors[TENSORS_MAX];
    const int count = elm_weights_count(scaled);
    float wanted[20], got[20];
    elm_error err = {0};
    assert_int_equal(elm_weights_export(scaled, tensors, NULL), 0);
    elm_tensor *scale = NULL;
    for (int i = 0; i < count; i++) {
        if (strcmp(tensors[i].name, "model/fc.scale") == 0)
            scale = &tensors[i];
        if (strcmp(tensors[i].name, "model/fc.bias") == 0)
            tensors[i].data[3] = 0.5f;
    }
    assert_non_null(scale);
    for (int c = 0; scale != NULL && c < 10; c++)
        scale->data[c] = 0.5f + (float)c;
    elm_net_weights_changed(scaled);
    logits_of(scaled, wanted);
    if (elm_weights_load_pretrained(plain, tensors, count, false, &err) != 0)
        fail_msg("%s", err.text);
    logits_of(plain, got);
    for (int i = 0; i < 20; i++)
        assert_true(fabsf(got[i] - wanted[i]) <= 1e-5f * (1 + fabsf(wanted[i])));
    elm_model_options cosine = {.name = "cifar-resnet8", .bn = "global", .head = ELM_HEAD_COSINE};
    const elm_net_spec spec = {.model = &cosine,
                               .channels = 3,
                               .height = 8,
                               .width = 8,
                               .classes = 10,
                               .max_images = 2,
                               .ranks = 1,
                               .backend = "openblas"};
    elm_net *cosines = NULL;
    assert_int_equal(elm_net_create(&cosines, &spec, &err), 0);
    /* its weights' lengths do not count */
    assert_int_equal(elm_weights_load_pretrained(cosines, tensors, count, false, &err), -1);
    elm_net_destroy(cosines);
    scale->count = scale->shape[0] = 7;
    assert_int_equal(elm_weights_load_pretrained(plain, tensors, count, false, &err), -1);
    assert_non_null(strstr(err.text, "model/fc.scale is [7]"));
    /* a new classifier needs none */
    assert_int_equal(elm_weights_load_pretrained(plain, tensors, count, true, &err), 0);
    elm_net_destroy(scaled);
    elm_net_destroy(plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(export_names_everything_once),
        cmocka_unit_test(what_is_exported_loads_back),
        cmocka_unit_test(another_class_count_is_refused),
        cmocka_unit_test(a_missing_tensor_is_refused),
        cmocka_unit_test(a_left_over_tensor_is_refused),
        cmocka_unit_test(a_scale_is_folded_into_the_weights),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
