/* A whole training step on however many ranks this runs on, against PyTorch in fp64
 * (tests/golden/step_golden.py). docs/design.md, section 3, has the tolerances. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "elmpi/memory.h"
#include "elmpi/trainer.h"
#include "golden/pseudo.h"
#include "golden/step_golden.h"

enum { CLASSES = 5, SIDE = 8, IMAGE = 3 * SIDE * SIDE, IMAGES_MAX = 13 };

enum { AUTO = 0, DRW = 3 }; /* loss.weights */

/* Who computes, in which format, and how close that comes (docs/design.md, section 3, for fp32). */
typedef struct engine {
    const char *backend;
    elm_precision precision;
    elm_layout layout;
    double loss, update, tensor, state; /* share of the value, of the length */
} engine;
static const engine automatic = {"auto", ELM_PRECISION_FP32, ELM_LAYOUT_AUTO, 1e-6, 5e-3, 2e-2,
                                 1e-5};
static const engine openblas = {"openblas", ELM_PRECISION_FP32, ELM_LAYOUT_AUTO, 1e-6, 5e-3, 2e-2,
                                1e-5};
static const engine nhwc = {"onednn", ELM_PRECISION_FP32, ELM_LAYOUT_NHWC, 1e-6, 5e-3, 2e-2, 1e-5};
static const engine bf16 = {"auto", ELM_PRECISION_BF16, ELM_LAYOUT_AUTO, 2e-2, 0.15, 0.5, 1e-2};
static const engine bf16_nhwc = {"onednn", ELM_PRECISION_BF16, ELM_LAYOUT_NHWC, 2e-2, 0.15, 0.5,
                                 1e-2};

static elm_comm *comm;
static const int64_t class_count[CLASSES] = {120, 60, 30, 12, 4};
static const int32_t labels[IMAGES_MAX] = {0, 1, 0, 2, 1, 0, 3, 0, 2, 4, 1, 0, 0};
static const elm_store_info data = {
    .dataset = "hashed", .classes = CLASSES, .height = SIDE, .width = SIDE, .channels = 3};

static const struct objective {
    const char *name, *logit, *embed;
    double lambda;
    const char *alpha;
} objectives[] = {
    {"ce", "ce", "none", 0, "sqrt-n"},         {"logadj", "logadj", "none", 0, "sqrt-n"},
    {"elm", "logadj", "pull", 0.01, "sqrt-n"}, {"elm-strong", "logadj", "pull", 1, "sqrt-pi"},
    {"ldam-drw", "ldam", "none", 0, "sqrt-n"}, {"cb-focal", "cb-focal", "none", 0, "sqrt-n"},
};
enum { OBJECTIVES = sizeof objectives / sizeof *objectives };

static const golden *expected(const char *name)
{
    for (size_t i = 0; i < sizeof step_golden / sizeof *step_golden; i++)
        if (!strcmp(step_golden[i].name, name))
            return &step_golden[i];
    fail_msg("no golden value %s", name);
    return NULL;
}

static void check(const char *title, const char *what, const float *x, size_t count,
                  double tolerance)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", title, what);
    const double error = golden_error(expected(name), x, count);
    if (!(error <= tolerance))
        fail_msg("%s on %d ranks is off by %g of its length", name, elm_comm_size(comm), error);
}

static void check_loss(const char *title, const char *what, double loss, double tolerance)
{
    char name[160];
    snprintf(name, sizeof name, "%s.%s", title, what);
    const double right = expected(name)->value[0] / (double)pseudo(1000, 0),
                 error = fabs(loss - right);
    if (!(error <= tolerance * fabs(right) + 1e-12))
        fail_msg("%s on %d ranks is %.9g, not %.9g", name, elm_comm_size(comm), loss, right);
}

/* The generator's weights, by what a parameter is. */
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

/* The trainer borrows its options. */
typedef struct setting {
    elm_model_options model;
    elm_loss_options loss;
    elm_optim_options optim;
    elm_comm_options comm;
} setting;

static elm_trainer *make_fresh_trainer(setting *s, const struct objective *objective,
                                       const char *bn, const engine *by, int images, int64_t parts)
{
    *s = (setting){.model = {.name = "cifar-resnet8"},
                   .loss = {.lambda = objective->lambda,
                            .logadj_tau = 1,
                            .pull_scale = 1,
                            /* the switch is at epoch 0 */
                            .weights = !strcmp(objective->logit, "ldam") ? DRW : AUTO,
                            .weights_beta = 0.9999,
                            .ldam_margin = 0.5,
                            .ldam_scale = 30,
                            .cb_focal_gamma = 1},
                   .comm = {.bucket_kib = 16},
                   .optim = {.epochs = 1,
                             .batch = images,
                             .accumulate = parts,
                             .lr = 0.1,
                             .momentum = 0.9,
                             .weight_decay = 0.01}};
    snprintf(s->model.bn, sizeof s->model.bn, "%s", bn);
    snprintf(s->loss.logit, sizeof s->loss.logit, "%s", objective->logit);
    snprintf(s->loss.embed, sizeof s->loss.embed, "%s", objective->embed);
    snprintf(s->loss.pull_alpha, sizeof s->loss.pull_alpha, "%s", objective->alpha);
    const elm_trainer_spec spec = {.model = &s->model,
                                   .loss = &s->loss,
                                   .optim = &s->optim,
                                   .comm = &s->comm,
                                   .data = &data,
                                   .counts = {CLASSES, class_count, 226},
                                   .backend = by->backend,
                                   .precision = by->precision,
                                   .layout = by->layout};
    elm_trainer *trainer = NULL;
    elm_error err;
    if (elm_trainer_create_all(&trainer, &spec, comm, &err))
        fail_msg("%s", err.text);
    return trainer;
}

static elm_trainer *make_trainer_in_parts(setting *s, const struct objective *objective,
                                          const char *bn, const engine *by, int images,
                                          int64_t parts)
{
    elm_trainer *trainer = make_fresh_trainer(s, objective, bn, by, images, parts);
    fill_weights(elm_trainer_net(trainer));
    return trainer;
}

static elm_trainer *make_trainer(setting *s, const struct objective *objective, const char *bn,
                                 const engine *by, int images)
{
    return make_trainer_in_parts(s, objective, bn, by, images, 1);
}

/* This rank's images of a part of the batch, from the one hashed array that the generator reads
 * whole. */
static elm_batch make_part(float input[IMAGES_MAX * IMAGE], int images, int64_t first, int64_t part)
{
    const int64_t count = images - first < part ? images - first : part;
    const elm_partition share = elm_partition_of(count, elm_comm_size(comm), elm_comm_rank(comm));
    for (int64_t i = 0; i < (int64_t)share.local * IMAGE; i++)
        input[i] = pseudo(1, (uint32_t)((first + share.first) * IMAGE + i));
    return (elm_batch){.continues = first > 0,
                       .more = first + count < images,
                       .position = first,
                       .share = share,
                       .input = input,
                       .labels = labels + first + share.first,
                       .microbatch_labels = labels + first,
                       .images = images,
                       .global_labels = labels};
}

static elm_batch make_batch(float input[IMAGES_MAX * IMAGE], int images)
{
    return make_part(input, images, 0, images);
}

static void check_update(const engine *by, const char *title, const elm_net_parameters *view,
                         const float *before)
{
    float *update = elm_alloc((size_t)view->size, sizeof *update, NULL);
    for (int64_t i = 0; i < view->size; i++)
        update[i] = view->weights[i] - before[i];
    check(title, "update", update, (size_t)view->size, by->update);
    char what[128];
    for (int p = 0; p < view->count; p++) {
        snprintf(what, sizeof what, "update.%s", view->tensors[p].name);
        check(title, what, update + view->tensors[p].offset, (size_t)view->tensors[p].count,
              by->tensor);
    }
    for (int s = 0; s < view->state_count; s++) {
        snprintf(what, sizeof what, "state.%s", view->state_tensors[s].name);
        check(title, what, view->state_tensors[s].data, (size_t)view->state_tensors[s].count,
              by->state);
    }
    elm_free(update);
}

static void check_gradients(const engine *by, const char *title, const char *what,
                            const double lengths[3])
{
    const float found[3] = {(float)lengths[0], (float)lengths[1], (float)lengths[2]};
    check(title, what, found, 3, by->tensor);
}

static void check_step(const char *title, const struct objective *objective, const char *bn,
                       const engine *by, int images)
{
    setting s;
    float input[IMAGES_MAX * IMAGE];
    elm_trainer *trainer = make_trainer(&s, objective, bn, by, images);
    const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
    float *before = elm_alloc((size_t)view.size, sizeof *before, NULL);
    memcpy(before, view.weights, (size_t)view.size * sizeof *before);
    const elm_batch batch = make_batch(input, images);
    const elm_step_report report =
        elm_trainer_step_all(trainer, &batch, s.optim.lr, (elm_step_requests){0});
    assert_true(report.finite);
    check_loss(title, "logit_loss", report.figures.logit_loss, by->loss);
    check_loss(title, "embed_loss", report.figures.embed_loss, by->loss);
    check_gradients(by, title, "embed_gradient", report.figures.embed_gradient);
    check_gradients(by, title, "gradient", report.figures.gradient);
    check_update(by, title, &view, before);
    elm_free(before);
    elm_trainer_destroy(trainer);
}

/* Channels last is oneDNN's alone. */
static bool has_onednn(void)
{
    elm_error err;
    return elm_net_check_backend("onednn", &err) == 0;
}

static void steps_match_pytorch(void **unused)
{
    (void)unused;
    static const engine *const engines[] = {&automatic, &openblas, &nhwc};
    const int count = has_onednn() ? 3 : 2;
    static const int images[] = {13, 5, 2};
    char title[64];
    for (int b = 0; b < count; b++)
        for (int o = 0; o < OBJECTIVES; o++)
            for (int n = 0; n < 3; n++) {
                snprintf(title, sizeof title, "%s-%d", objectives[o].name, images[n]);
                /* fewer images than ranks is refused for a whole run */
                if (images[n] >= elm_comm_size(comm))
                    check_step(title, &objectives[o], "global", engines[b], images[n]);
            }
}

/* On any number of ranks the same step as PyTorch's in fp64, up to what 8 significant bits leave
 * of it: a ReLU near zero that opens or closes moves a whole tensor's gradient. */
static void steps_in_bf16_are_near(void **unused)
{
    (void)unused;
    elm_precision precision;
    elm_error err;
    if (elm_net_resolve_precision(ELM_PRECISION_BF16, "auto", &precision, &err)) {
        print_message("no bf16 here: %s\n", err.text);
        skip();
    }
    char title[64];
    for (int o = 0; o < OBJECTIVES; o++) {
        snprintf(title, sizeof title, "%s-%d", objectives[o].name, IMAGES_MAX);
        check_step(title, &objectives[o], "global", &bf16, IMAGES_MAX);
        check_step(title, &objectives[o], "global", &bf16_nhwc, IMAGES_MAX);
    }
}

/* Groups of five images cross the borders between 2, 3 and 4 ranks; the result is that of one
 * rank. bn = rank depends on the ranks by its nature. */
static void norm_scopes_match_pytorch(void **unused)
{
    (void)unused;
    char title[64];
    snprintf(title, sizeof title, "rank-%d-13", elm_comm_size(comm));
    check_step("group-13", &objectives[3], "group:5", &automatic, IMAGES_MAX);
    check_step(title, &objectives[3], "rank", &automatic, IMAGES_MAX);
    if (has_onednn()) {
        check_step("group-13", &objectives[3], "group:5", &nhwc, IMAGES_MAX);
        check_step(title, &objectives[3], "rank", &nhwc, IMAGES_MAX);
    }
}

/* The last batch of an epoch may be smaller than the number of ranks: those without images take
 * part with zeros. */
static void empty_ranks_take_part(void **unused)
{
    (void)unused;
    setting s;
    float input[IMAGES_MAX * IMAGE];
    for (int o = 0; o < OBJECTIVES; o++) {
        elm_trainer *trainer = make_trainer(&s, &objectives[o], "global", &automatic, IMAGES_MAX);
        const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
        float *before = elm_alloc((size_t)view.size, sizeof *before, NULL);
        memcpy(before, view.weights, (size_t)view.size * sizeof *before);
        char title[64];
        snprintf(title, sizeof title, "%s-2", objectives[o].name);
        const elm_batch batch = make_batch(input, 2);
        const elm_step_report report =
            elm_trainer_step_all(trainer, &batch, s.optim.lr, (elm_step_requests){0});
        check_loss(title, "logit_loss", report.figures.logit_loss, automatic.loss);
        check_update(&automatic, title, &view, before);
        elm_free(before);
        elm_trainer_destroy(trainer);
    }
}

/* Loss and update of one step on the whole batch, or in parts. */
static double step_in_parts(int64_t parts, float *update)
{
    setting s;
    float input[IMAGES_MAX * IMAGE];
    elm_trainer *trainer =
        make_trainer_in_parts(&s, &objectives[0], "group:5", &automatic, IMAGES_MAX, parts);
    const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
    for (int64_t i = 0; i < view.size; i++)
        update[i] = view.weights[i];
    elm_step_report report = {0};
    const int64_t part = elm_optim_microbatch(&s.optim);
    for (int64_t first = 0; first < IMAGES_MAX; first += part) {
        const elm_batch batch = make_part(input, IMAGES_MAX, first, part);
        report = elm_trainer_step_all(trainer, &batch, s.optim.lr, (elm_step_requests){0});
    }
    for (int64_t i = 0; i < view.size; i++)
        update[i] = view.weights[i] - update[i];
    assert_int_equal(report.images, IMAGES_MAX);
    elm_trainer_destroy(trainer);
    return report.figures.loss;
}

/* Groups of five images, so that BatchNorm sees the same whether 13 images come at once or as 5,
 * 5 and 3: then loss and update are the same too, although ranks hold other images. */
static void parts_make_the_whole_batchs_step(void **unused)
{
    (void)unused;
    setting s;
    elm_trainer *trainer = make_trainer(&s, &objectives[0], "group:5", &automatic, IMAGES_MAX);
    const size_t size = (size_t)elm_net_view(elm_trainer_net(trainer)).size;
    elm_trainer_destroy(trainer);
    float *whole = elm_alloc(size, sizeof *whole, NULL),
          *parts = elm_alloc(size, sizeof *parts, NULL);
    const double loss = step_in_parts(1, whole);
    assert_true(fabs(step_in_parts(3, parts) - loss) <= 1e-6 * loss);
    double length = 0, distance = 0;
    for (size_t i = 0; i < size; i++) {
        length += (double)whole[i] * (double)whole[i];
        distance += ((double)parts[i] - (double)whole[i]) * ((double)parts[i] - (double)whole[i]);
    }
    assert_true(length > 0 && sqrt(distance) <= 5e-3 * sqrt(length));
    elm_free(whole);
    elm_free(parts);
}

/* The last image's update, under one label and another, with its pixels and without. */
static float last_image_matters(const struct objective *objective, bool unreadable)
{
    float conv[2] = {0};
    for (int other = 0; other < 2; other++) {
        setting s;
        float input[IMAGES_MAX * IMAGE];
        int32_t changed[IMAGES_MAX];
        bool marks[IMAGES_MAX] = {false};
        elm_trainer *trainer = make_trainer(&s, objective, "global", &automatic, IMAGES_MAX);
        elm_batch batch = make_batch(input, IMAGES_MAX);
        const int64_t mine = IMAGES_MAX - 1 - batch.share.first;
        memcpy(changed, labels, sizeof changed);
        changed[IMAGES_MAX - 1] = other ? 0 : 1;
        if (unreadable && mine >= 0 && mine < batch.share.local)
            marks[mine] = true;
        batch.labels = changed + batch.share.first;
        batch.microbatch_labels = batch.global_labels = changed;
        batch.unreadable = marks;
        const elm_step_report report =
            elm_trainer_step_all(trainer, &batch, s.optim.lr, (elm_step_requests){0});
        assert_true(report.figures.unreadable == unreadable);
        conv[other] = elm_net_view(elm_trainer_net(trainer)).weights[3];
        elm_trainer_destroy(trainer);
    }
    return fabsf(conv[0] - conv[1]);
}

/* An image of a class without readable images: whatever its label says, the update is the
 * same, on any number of ranks. */
static void absent_images_teach_nothing(void **unused)
{
    (void)unused;
    assert_true(last_image_matters(&objectives[0], false) > 0);
    assert_true(last_image_matters(&objectives[0], true) == 0);
}

static void steady_steps_allocate_nothing(void **unused)
{
    (void)unused;
    setting s;
    float input[IMAGES_MAX * IMAGE];
    elm_trainer *trainer = make_trainer(&s, &objectives[2], "global", &automatic, IMAGES_MAX);
    const elm_batch batch = make_batch(input, IMAGES_MAX);
    elm_trainer_step_all(trainer, &batch, 0.01, (elm_step_requests){0});
    const int64_t before = elm_alloc_calls();
    for (int i = 0; i < 5; i++)
        elm_trainer_step_all(trainer, &batch, 0.01, (elm_step_requests){0});
    assert_int_equal(before, elm_alloc_calls());
    elm_trainer_destroy(trainer);
}

/* One rank's NaN stops the update on all; one rank's wish is everybody's. */
static void broken_numbers_and_wishes_are_agreed(void **unused)
{
    (void)unused;
    setting s;
    float input[IMAGES_MAX * IMAGE];
    elm_trainer *trainer = make_trainer(&s, &objectives[2], "global", &automatic, IMAGES_MAX);
    const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
    const elm_batch batch = make_batch(input, IMAGES_MAX);
    const bool last = elm_comm_rank(comm) == elm_comm_size(comm) - 1;
    elm_step_report report =
        elm_trainer_step_all(trainer, &batch, 0.01, (elm_step_requests){.stop = last});
    assert_true(report.finite && report.requests.stop && !report.requests.checkpoint);
    const float weight = view.weights[5];
    if (last)
        input[7] = NAN;
    report = elm_trainer_step_all(trainer, &batch, 0.01, (elm_step_requests){0});
    assert_false(report.finite);
    assert_true(weight == view.weights[5]);
    elm_trainer_destroy(trainer);
}

/* The last layer begins as the logit loss wants it, unless the job says otherwise. */
static void heads_follow_the_loss(void **unused)
{
    (void)unused;
    setting s;
    for (int o = 0; o < OBJECTIVES; o++) {
        elm_trainer *trainer =
            make_fresh_trainer(&s, &objectives[o], "global", &automatic, IMAGES_MAX, 1);
        const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
        const elm_tensor *last = &view.tensors[view.count - 1];
        const bool cosine = !strcmp(objectives[o].logit, "ldam"),
                   balanced = !strcmp(objectives[o].logit, "cb-focal");
        assert_string_equal(last->name, cosine ? "fc.weight" : "fc.bias");
        for (int c = 0; c < CLASSES && !cosine; c++)
            assert_int_equal(balanced, last->data[c] == -logf(CLASSES - 1));
        elm_trainer_destroy(trainer);
    }
    s.model.head = ELM_HEAD_LINEAR;
    snprintf(s.loss.logit, sizeof s.loss.logit, "ldam");
    assert_int_equal(ELM_HEAD_LINEAR, elm_trainer_head(&s.model, &s.loss));
    s.model.head = ELM_HEAD_AUTO;
    assert_int_equal(ELM_HEAD_COSINE, elm_trainer_head(&s.model, &s.loss));
}

int main(int argc, char **argv)
{
    elm_error err;
    if (elm_comm_start_all(&comm, &argc, &argv, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_match_pytorch),
        cmocka_unit_test(steps_in_bf16_are_near),
        cmocka_unit_test(heads_follow_the_loss),
        cmocka_unit_test(norm_scopes_match_pytorch),
        cmocka_unit_test(empty_ranks_take_part),
        cmocka_unit_test(parts_make_the_whole_batchs_step),
        cmocka_unit_test(absent_images_teach_nothing),
        cmocka_unit_test(steady_steps_allocate_nothing),
        cmocka_unit_test(broken_numbers_and_wishes_are_agreed),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (failed) /* the other ranks may be in another test's collective by now */
        elm_comm_abort(comm, 1);
    elm_comm_finish_all(comm);
    return failed;
}
