/* Steps whose numbers break: they leave no trace on any rank, in weights, momentum, running
 * statistics or what losses learn, bit for bit, and what broke first is found, with the images.
 * Clipping gives all ranks one norm. */
#include <math.h>
#include <string.h>

#include "elmpi/trainer.h"
#include "golden/pseudo.h"
#include "mpi/ranks.h"
#include "unit/term_options.h"

enum { CLASSES = 5, SIDE = 8, IMAGE = 3 * SIDE * SIDE, IMAGES = 13 };

static const int64_t class_count[CLASSES] = {120, 60, 30, 12, 4};
static const int32_t labels[IMAGES] = {0, 1, 0, 2, 1, 0, 3, 0, 2, 4, 1, 0, 0};
static const elm_store_info data = {
    .dataset = "hashed", .classes = CLASSES, .height = SIDE, .width = SIDE, .channels = 3};
static int64_t members[IMAGES];

typedef struct setting {
    const char *bn;
    int64_t parts;
    elm_precision precision;
    double clip;
    elm_loss_options loss;
    /* Borrowed by the trainer, as the losses' options. */
    elm_model_options model;
    elm_optim_options optim;
    elm_comm_options comm;
} setting;

static elm_trainer *make_trainer(setting *s)
{
    s->model = (elm_model_options){.name = "cifar-resnet8"};
    s->optim = (elm_optim_options){.epochs = 1,
                                   .batch = IMAGES,
                                   .accumulate = s->parts,
                                   .lr = 0.1,
                                   .momentum = 0.9,
                                   .weight_decay = 0.01,
                                   .clip_norm = s->clip};
    s->comm = (elm_comm_options){.bucket_kib = 16};
    snprintf(s->model.bn, sizeof s->model.bn, "%s", s->bn);
    const elm_trainer_spec spec = {.model = &s->model,
                                   .loss = &s->loss,
                                   .optim = &s->optim,
                                   .comm = &s->comm,
                                   .data = &data,
                                   .counts = {CLASSES, class_count, 226},
                                   .backend = "auto",
                                   .precision = s->precision};
    elm_trainer *trainer = NULL;
    elm_error err = {0};
    if (elm_trainer_create_all(&trainer, &spec, comm, &err))
        fprintf(stderr, "%s\n", err.text);
    check(trainer != NULL);
    return trainer;
}

/* What the batch's image `image` gets instead of its first value. */
typedef struct flaw {
    int image;
    float value;
} flaw;
#define PULL "[loss]\nlogit = logadj\nembed = pull\npull.alpha = sqrt-n\n"
static const flaw none = {-1, 0};

/* One global batch, number `index` of the epoch, in the setting's parts; broken gets what is not
 * finite. */
static elm_step_report step(elm_trainer *trainer, const setting *s, int index, int images,
                            flaw wrong, elm_nonfinite_found *broken)
{
    static float input[IMAGES * IMAGE];
    elm_step_report report = {0};
    const int64_t part = elm_optim_microbatch(&s->optim);
    for (int64_t first = 0; first < images; first += part) {
        const int64_t count = images - first < part ? images - first : part;
        const elm_partition share =
            elm_partition_of(count, elm_comm_size(comm), elm_comm_rank(comm));
        for (int64_t i = 0; i < (int64_t)share.local * IMAGE; i++)
            input[i] = pseudo((uint32_t)index + 1, (uint32_t)((first + share.first) * IMAGE + i));
        const int64_t mine = wrong.image - first - share.first;
        if (wrong.image >= 0 && mine >= 0 && mine < share.local)
            input[mine * IMAGE] = wrong.value;
        const elm_batch batch = {.index = index,
                                 .passed = index / 3.0,
                                 .position = first,
                                 .continues = first > 0,
                                 .more = first + count < images,
                                 .share = share,
                                 .input = input,
                                 .labels = labels + first + share.first,
                                 .microbatch_labels = labels + first,
                                 .members = members + first,
                                 .images = images,
                                 .global_labels = labels};
        report = elm_trainer_step_all(trainer, &batch, 0.1, (elm_step_requests){0});
        if (!batch.more && broken)
            elm_trainer_find_nonfinite_all(trainer, &batch, broken);
    }
    return report;
}

static void same_state(elm_trainer *a, elm_trainer *b)
{
    elm_tensor *of_a, *of_b;
    int count_a, count_b;
    check(elm_trainer_export(a, &of_a, &count_a, NULL) == 0 &&
          elm_trainer_export(b, &of_b, &count_b, NULL) == 0 && count_a == count_b);
    for (int t = 0; t < count_a; t++) {
        if (memcmp(of_a[t].data, of_b[t].data, (size_t)of_a[t].count * sizeof(float)) != 0)
            fprintf(stderr, "%s is another\n", of_a[t].name);
        check(memcmp(of_a[t].data, of_b[t].data, (size_t)of_a[t].count * sizeof(float)) == 0);
        for (int64_t i = 0; i < of_a[t].count; i++)
            check(isfinite(of_a[t].data[i]));
    }
    elm_free(of_a);
    elm_free(of_b);
}

/* The image that each rank says it has, over all ranks; -1: none. */
static int64_t image_found(const elm_nonfinite_found *broken)
{
    double found = broken->count ? (double)broken->member[0] : -1;
    elm_comm_max_all(comm, &found, 1);
    return (int64_t)found;
}

/* Good, broken, good steps against the good ones alone. The broken batch is as large as the
 * others or, as at an epoch's end, smaller. */
static void check_skip(setting s, int broken_images, flaw wrong)
{
    setting t = s;
    elm_nonfinite_found broken;
    elm_trainer *with = make_trainer(&s), *without = make_trainer(&t);
    check(step(with, &s, 0, IMAGES, none, NULL).finite &&
          step(without, &t, 0, IMAGES, none, NULL).finite);
    const elm_step_report report = step(with, &s, 1, broken_images, wrong, &broken);
    check(!report.finite);
    check(broken.is_input == !isfinite(wrong.value));
    if (!isfinite(wrong.value)) {
        check(broken.suspects == ELM_SUSPECT_NONFINITE && !strcmp(broken.what, "input values"));
        double count = (double)broken.count;
        elm_comm_sum_all(comm, &count, 1);
        check(count == 1 && image_found(&broken) == members[wrong.image]);
    } else {
        check(strcmp(broken.what, "input values") != 0 &&
              strcmp(broken.what, "a number that is finite now") != 0);
        check(broken.suspects != ELM_SUSPECT_INPUT || image_found(&broken) == members[wrong.image]);
    }
    for (int i = 2; i < 5; i++)
        check(step(with, &s, i, IMAGES, none, NULL).finite &&
              step(without, &t, i, IMAGES, none, NULL).finite);
    same_state(with, without);
    elm_trainer_destroy(with);
    elm_trainer_destroy(without);
}

static const flaw flaws[] = {{4, NAN}, {0, INFINITY}, {12, -NAN}, {9, 3e38F}};
enum { FLAWS = sizeof flaws / sizeof *flaws };
static const int broken_images[FLAWS] = {6, IMAGES, IMAGES, 10}; /* batches that they are in */

/* Every term, with its own ideas of what it learns, whole and in parts. */
static void skipped_steps_leave_no_trace(void)
{
    static const char *const scopes[] = {"global", "rank", "group:5"};
    const char *name;
    setting s = {0};
    for (int i = 0; term_setting(i, &name, &s.loss); i++) {
        snprintf(s.loss.logit, sizeof s.loss.logit, "logadj");
        s.bn = scopes[i % 3];
        s.clip = i % 2 ? 0.5 : 0;
        for (s.parts = 1; s.parts < 4; s.parts += 2)
            check_skip(s, broken_images[(i + s.parts) % FLAWS], flaws[(i + s.parts) % FLAWS]);
    }
}

static void skipped_steps_leave_no_trace_in_bf16(void)
{
    elm_precision precision;
    const setting s = {
        .loss = options_from(PULL), .bn = "global", .parts = 1, .precision = ELM_PRECISION_BF16};
    if (elm_net_resolve_precision(ELM_PRECISION_BF16, "auto", &precision, NULL) == 0)
        check_skip(s, IMAGES, flaws[0]);
}

/* Each kind of value that can break. */
static void the_first_broken_value_is_named(void)
{
    static const struct {
        const char *tensor, *what;
        bool state;
    } rows[] = {
        {"bn1.weight", "the weights bn1.weight", false},
        {"fc.bias", "the weights fc.bias", false},
        {"layer1.0.bn1.running_var", "the running statistics layer1.0.bn1.running_var", true}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        setting s = {.loss = options_from(PULL), .bn = "global", .parts = 1};
        elm_trainer *trainer = make_trainer(&s);
        const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
        const elm_tensor *tensors = rows[r].state ? view.state_tensors : view.tensors;
        const int count = rows[r].state ? view.state_count : view.count;
        bool found = false;
        for (int t = 0; t < count; t++)
            if (!strcmp(tensors[t].name, rows[r].tensor)) {
                tensors[t].data[1] = NAN;
                found = true;
            }
        check(found);
        elm_net_weights_changed(elm_trainer_net(trainer));
        elm_nonfinite_found broken;
        const elm_step_report report = step(trainer, &s, 0, IMAGES, none, &broken);
        check(!report.finite);
        if (strcmp(broken.what, rows[r].what) != 0)
            fprintf(stderr, "found %s, not %s\n", broken.what, rows[r].what);
        check(strcmp(broken.what, rows[r].what) == 0 && broken.suspects == ELM_SUSPECT_LOGITS &&
              !broken.is_input);
        elm_trainer_destroy(trainer);
    }
}

/* A variance beyond a float's range: activations of both signs so large that BatchNorm makes
 * zeros of them, loss and gradients stay finite, and only the running statistics tell. One
 * rank's alone are enough (scope rank). */
static void spoilt_statistics_end_the_step(void)
{
    static const char *const scopes[] = {"global", "rank"};
    for (size_t b = 0; b < 2; b++) {
        setting s = {.loss = options_from(PULL), .bn = scopes[b], .parts = 1}, t = s;
        elm_trainer *trainer = make_trainer(&s), *untouched = make_trainer(&t);
        elm_trainer *both[] = {trainer, untouched};
        for (int k = 0; k < 2; k++) {
            const elm_net_parameters view = elm_net_view(elm_trainer_net(both[k]));
            for (int64_t i = 0; i < view.tensors[0].count; i++)
                view.tensors[0].data[i] *= 1e30F;
            elm_net_weights_changed(elm_trainer_net(both[k]));
        }
        elm_nonfinite_found broken;
        check(!step(trainer, &s, 0, IMAGES, none, &broken).finite);
        check(strcmp(broken.what,
                     "what the step makes of the running statistics bn1.running_var") == 0 ||
              strstr(broken.what, "gradient"));
        same_state(trainer, untouched);
        elm_trainer_destroy(trainer);
        elm_trainer_destroy(untouched);
    }
}

/* One norm on all ranks to the last bit, the clipped update has the length asked for, and no
 * memory is taken. */
static void clipping_is_the_same_on_all_ranks(void)
{
    setting s = {.loss = options_from(PULL), .bn = "global", .parts = 1, .clip = 0.25};
    elm_trainer *trainer = make_trainer(&s);
    s.optim.weight_decay = 0;
    const elm_net_parameters view = elm_net_view(elm_trainer_net(trainer));
    step(trainer, &s, 0, IMAGES, none, NULL);
    const int64_t calls = elm_alloc_calls();
    for (int i = 1; i < 4; i++) {
        const double norm = step(trainer, &s, i, IMAGES, none, NULL).gradient_norm;
        double ends[2] = {norm, -norm};
        elm_comm_max_all(comm, ends, 2);
        check(ends[0] == -ends[1] && norm > s.clip);
        check(fabs(elm_gradient_norm(view.gradients, view.size) - s.clip) <= 1e-5 * s.clip);
    }
    check(elm_alloc_calls() == calls);
    elm_trainer_destroy(trainer);
}

static void tests(void)
{
    for (int i = 0; i < IMAGES; i++)
        members[i] = 100 + 7 * i;
    skipped_steps_leave_no_trace();
    skipped_steps_leave_no_trace_in_bf16();
    the_first_broken_value_is_named();
    spoilt_statistics_end_the_step();
    clipping_is_the_same_on_all_ranks();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "steps whose numbers break", tests);
}
