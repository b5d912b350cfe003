/* Every optimizer with a moving average of the weights, on any number of ranks: all ranks hold the
 * same bits, a checkpoint carries on to the bit, a discarded step leaves no trace, and steady steps
 * allocate nothing. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/trainer.h"
#include "golden/pseudo.h"
#include "mpi/ranks.h"

enum { CLASSES = 5, SIDE = 8, IMAGE = 3 * SIDE * SIDE, IMAGES = 13, STEPS = 4 };

static const int64_t class_count[CLASSES] = {120, 60, 30, 12, 4};
static const int32_t labels[IMAGES] = {0, 1, 0, 2, 1, 0, 3, 0, 2, 4, 1, 0, 0};
static const elm_store_info data = {
    .dataset = "hashed", .classes = CLASSES, .height = SIDE, .width = SIDE, .channels = 3};

/* Borrowed by the trainer. */
typedef struct setting {
    elm_model_options model;
    elm_loss_options loss;
    elm_optim_options optim;
    elm_comm_options comm;
} setting;

static elm_trainer *make_trainer_of(setting *s)
{
    const elm_trainer_spec spec = {.model = &s->model,
                                   .loss = &s->loss,
                                   .optim = &s->optim,
                                   .comm = &s->comm,
                                   .data = &data,
                                   .counts = {CLASSES, class_count, 226},
                                   .backend = "auto",
                                   .precision = ELM_PRECISION_FP32};
    elm_trainer *trainer = NULL;
    elm_error err = {0};
    if (elm_trainer_create_all(&trainer, &spec, comm, &err))
        fprintf(stderr, "%s\n", err.text);
    check(trainer != NULL);
    return trainer;
}

static elm_trainer *make_trainer(setting *s, int optimizer, const char *bn, int train)
{
    static const double lr[] = {0.1, 0.001, 2};
    *s = (setting){.model = {.name = "cifar-resnet8", .train = train},
                   .loss = {.logit = "logadj", .embed = "none", .logadj_tau = 1},
                   .comm = {.bucket_kib = 16},
                   .optim = {.epochs = 1,
                             .batch = IMAGES,
                             .accumulate = 1,
                             .optimizer = optimizer,
                             .lr = lr[optimizer],
                             .momentum = 0.9,
                             .beta1 = 0.9,
                             .beta2 = 0.999,
                             .epsilon = 1e-8,
                             .trust = 0.01,
                             .weight_decay = 0.01,
                             .ema = 0.9}};
    snprintf(s->model.bn, sizeof s->model.bn, "%s", bn);
    return make_trainer_of(s);
}

/* Step number `index`; `broken`: with a NaN in the last image. */
static bool step(elm_trainer *trainer, const setting *s, int index, bool broken)
{
    static float input[IMAGES * IMAGE];
    const elm_partition share = elm_partition_of(IMAGES, elm_comm_size(comm), elm_comm_rank(comm));
    for (int64_t i = 0; i < (int64_t)share.local * IMAGE; i++)
        input[i] = pseudo((uint32_t)index + 1, (uint32_t)(share.first * IMAGE + i));
    if (broken && share.first + share.local == IMAGES && share.local > 0)
        input[(share.local - 1) * IMAGE] = NAN;
    const elm_batch batch = {.index = index,
                             .share = share,
                             .input = input,
                             .labels = labels + share.first,
                             .microbatch_labels = labels,
                             .images = IMAGES,
                             .global_labels = labels};
    return elm_trainer_step_all(trainer, &batch, s->optim.lr, (elm_step_requests){0}).finite;
}

/* All that a checkpoint holds, as copies. */
static elm_checkpoint copy_of(elm_trainer *trainer)
{
    elm_checkpoint c = {0};
    check(elm_trainer_export(trainer, &c.tensors, &c.tensor_count, NULL) == 0);
    for (int t = 0; t < c.tensor_count; t++) {
        const size_t size_bytes = (size_t)c.tensors[t].count * sizeof(float);
        float *copy = elm_alloc((size_t)c.tensors[t].count, sizeof *copy, NULL);
        check(copy != NULL);
        memcpy(copy, c.tensors[t].data, size_bytes);
        check_same(copy, size_bytes);
        c.tensors[t].data = copy;
    }
    return c;
}

static void release(elm_checkpoint *c)
{
    for (int t = 0; t < c->tensor_count; t++)
        elm_free(c->tensors[t].data);
    elm_free(c->tensors);
}

static void check_equal(const elm_checkpoint *a, const elm_checkpoint *b)
{
    check(a->tensor_count == b->tensor_count);
    for (int t = 0; t < a->tensor_count; t++)
        check(!strcmp(a->tensors[t].name, b->tensors[t].name) &&
              !memcmp(a->tensors[t].data, b->tensors[t].data,
                      (size_t)a->tensors[t].count * sizeof(float)));
}

/* The averages of `now` follow those of `before` by the definition. */
static void check_average(const elm_checkpoint *before, const elm_checkpoint *now, double decay)
{
    int averages = 0;
    for (int t = 0; t < now->tensor_count; t++) {
        const elm_tensor *average = &now->tensors[t];
        char name[ELM_NAME_SIZE + 8];
        if (strncmp(average->name, "ema/", 4) != 0)
            continue;
        averages++;
        snprintf(name, sizeof name, "model/%s", average->name + 4);
        const elm_tensor *earlier = elm_checkpoint_tensor(before, average->name),
                         *weights = elm_checkpoint_tensor(now, name);
        check(earlier && weights);
        for (int64_t i = 0; i < average->count; i++) {
            const double expected =
                decay * (double)earlier->data[i] + (1 - decay) * (double)weights->data[i];
            check(fabs((double)average->data[i] - expected) <= 1e-6 * (1 + fabs(expected)));
        }
    }
    check(averages > 20); /* running statistics are among them */
}

static void continue_to_the_bit(int optimizer, const char *bn, int train)
{
    setting s, again;
    elm_trainer *whole = make_trainer(&s, optimizer, bn, train);
    elm_checkpoint before = copy_of(whole), halfway = {0};
    for (int i = 0; i < STEPS; i++) {
        check(step(whole, &s, i, false));
        elm_checkpoint now = copy_of(whole);
        check_average(&before, &now, s.optim.ema);
        release(&before);
        before = now;
        if (i == STEPS / 2 - 1)
            halfway = copy_of(whole);
    }
    elm_trainer *resumed = make_trainer(&again, optimizer, bn, train);
    check(elm_trainer_import(resumed, &halfway, NULL) == 0);
    for (int i = STEPS / 2; i < STEPS; i++)
        check(step(resumed, &again, i, false));
    elm_checkpoint end = copy_of(resumed);
    check_equal(&before, &end);

    /* a step that breaks is as if it had not been */
    check(!step(resumed, &again, STEPS, true));
    elm_checkpoint same = copy_of(resumed);
    check_equal(&end, &same);
    release(&same);

    const int64_t calls = elm_alloc_calls();
    check(step(resumed, &again, STEPS, false));
    check(elm_alloc_calls() == calls);
    release(&before);
    release(&halfway);
    release(&end);
    elm_trainer_destroy(whole);
    elm_trainer_destroy(resumed);
}

/* A checkpoint without an optimizer's state, or without an average, says so. */
static void what_is_lacking_is_named(void)
{
    setting s;
    elm_trainer *trainer = make_trainer(&s, 1, "global", ELM_TRAIN_ALL);
    elm_checkpoint full = copy_of(trainer);
    static const char *const lost[] = {"optimizer/exp_avg_sq/conv1.weight", "optimizer/updates",
                                       "ema/bn1.running_mean"};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        for (int t = 0; t < full.tensor_count; t++) {
            if (strcmp(full.tensors[t].name, lost[i]) != 0)
                continue;
            elm_error err = {0};
            *full.tensors[t].name = '?';
            check(elm_trainer_import(trainer, &full, &err) == -1);
            check(strstr(err.text, lost[i]) != NULL);
            *full.tensors[t].name = *lost[i];
            check(elm_trainer_import(trainer, &full, &err) == 0);
        }
    release(&full);
    elm_trainer_destroy(trainer);
}

static float *updates_of(const elm_checkpoint *c)
{
    return elm_checkpoint_tensor(c, "optimizer/updates")->data;
}

/* What is no number of updates is refused, and the trainer's own stays. */
static void impossible_counts_are_refused(void)
{
    setting s;
    elm_trainer *trainer = make_trainer(&s, 1, "global", ELM_TRAIN_ALL);
    static const float bad[] = {-1, 0.5f, 2.0f * ELM_UPDATES_COUNTED, 1e30f, INFINITY, NAN};
    check(step(trainer, &s, 0, false) && step(trainer, &s, 1, false));
    elm_checkpoint full = copy_of(trainer);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        elm_error err = {0};
        *updates_of(&full) = bad[i];
        check(elm_trainer_import(trainer, &full, &err) == -1);
        check(strstr(err.text, "optimizer/updates") != NULL);
        elm_checkpoint now = copy_of(trainer);
        check(*updates_of(&now) == 2);
        release(&now);
    }
    release(&full);
    elm_trainer_destroy(trainer);
}

/* Beyond the updates that are counted too a run is resumed to the bit, whatever the betas. */
static void long_runs_resume_to_the_bit(void)
{
    enum { BEYOND = 8 };
    setting s, again;
    elm_trainer_destroy(make_trainer(&s, 1, "global", ELM_TRAIN_ALL));
    s.optim.beta2 = 0.99999999; /* more than a job may say */
    elm_trainer *whole = make_trainer_of(&s);
    elm_checkpoint late = copy_of(whole);
    *updates_of(&late) = ELM_UPDATES_COUNTED;
    check(elm_trainer_import(whole, &late, NULL) == 0);
    for (int i = 0; i < BEYOND; i++)
        check(step(whole, &s, i, false));
    elm_checkpoint cut = copy_of(whole);
    check(*updates_of(&cut) == ELM_UPDATES_COUNTED);
    again = s;
    elm_trainer *resumed = make_trainer_of(&again);
    check(elm_trainer_import(resumed, &cut, NULL) == 0);
    check(step(whole, &s, BEYOND, false) && step(resumed, &again, BEYOND, false));
    elm_checkpoint end = copy_of(whole), same = copy_of(resumed);
    check_equal(&end, &same);
    release(&late);
    release(&cut);
    release(&end);
    release(&same);
    elm_trainer_destroy(whole);
    elm_trainer_destroy(resumed);
}

static void tests(void)
{
    for (int optimizer = 0; elm_optimizer_row(optimizer); optimizer++) {
        continue_to_the_bit(optimizer, "global", ELM_TRAIN_ALL);
        continue_to_the_bit(optimizer, "rank", ELM_TRAIN_ALL);
        continue_to_the_bit(optimizer, "global", ELM_TRAIN_CLASSIFIER);
    }
    what_is_lacking_is_named();
    impossible_counts_are_refused();
    long_runs_resume_to_the_bit();
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "optimizers and the average of weights", tests);
}
