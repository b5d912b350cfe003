/* Evaluation on several ranks: the counts of one rank, failures that one rank sees and all
 * return, a checkpoint handed to all. A failed check ends the job at once: the other ranks may
 * be waiting in a collective. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/broadcast.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "nn/weights.h"
#include "ranks.h"

/* 5 batches: no number of ranks shares them evenly */
enum { IMAGES = 300, WIDTH = 5, CLASSES = 3 };

static elm_net *make_net(void)
{
    const elm_model_options options = {.name = "mlp:8", .bn = "global"};
    const elm_net_spec spec = {.model = &options,
                               .features = WIDTH,
                               .classes = CLASSES,
                               .max_images = 64,
                               .ranks = 1,
                               .backend = "auto",
                               .seed = 3};
    elm_net *net = NULL;
    elm_error err = {0};
    check(elm_net_create(&net, &spec, &err) == 0);
    return net;
}

typedef struct test_set {
    int32_t labels[IMAGES];
    float features[IMAGES * WIDTH];
    int64_t count[CLASSES];
    elm_dataset dataset;
} test_set;

static void fill(test_set *set)
{
    memset(set, 0, sizeof *set);
    for (int i = 0; i < IMAGES; i++) {
        set->labels[i] = i % 7 % CLASSES;
        set->count[set->labels[i]]++;
        for (int d = 0; d < WIDTH; d++)
            set->features[i * WIDTH + d] = sinf((float)(i * WIDTH + d));
    }
    set->dataset = (elm_dataset){.info = {.dataset = "toy", .classes = CLASSES, .features = WIDTH},
                                 .count = IMAGES,
                                 .labels = set->labels,
                                 .class_count = set->count,
                                 .features = set->features};
}

/* Image by image on this rank alone. */
static void count_alone(elm_net *net, const test_set *set, elm_recall_counts *tally)
{
    for (int i = 0; i < IMAGES; i++) {
        elm_net_embed_all(net, set->features + (size_t)i * WIDTH, elm_partition_of(1, 1, 0), false);
        const float *logits = elm_net_classify(net);
        int best = 0;
        for (int c = 1; c < CLASSES; c++)
            best = logits[c] > logits[best] ? c : best;
        elm_recall_counts_add(tally, set->labels[i], best);
    }
}

static void every_image_counts_once(elm_net *net, const test_set *set)
{
    elm_recall_counts wanted, tally;
    elm_error err = {0};
    check(elm_recall_counts_create(&wanted, CLASSES, &err) == 0);
    count_alone(net, set, &wanted);
    check(elm_evaluation_count_all(net, &set->dataset, comm, NULL, NULL, &tally, &err) == 0);
    check(tally.classes == CLASSES &&
          memcmp(tally.tested, wanted.tested, 2 * CLASSES * sizeof *wanted.tested) == 0);
    elm_recall_counts_release(&wanted);
    elm_recall_counts_release(&tally);
}

static void refused(elm_net *net, const test_set *set, const volatile sig_atomic_t *stop, int code,
                    const char *says)
{
    elm_recall_counts tally;
    elm_error err = {0};
    check(elm_evaluation_count_all(net, &set->dataset, comm, stop, NULL, &tally, &err) == -1);
    check(tally.tested == NULL && err.code == code && strstr(err.text, says) != NULL);
}

/* One image, in the last rank's batch or wherever it falls, breaks the network's output. */
static void a_broken_output_is_everybodys(elm_net *net, test_set *set)
{
    set->features[(IMAGES - 1) * WIDTH] = INFINITY;
    refused(net, set, NULL, ELM_EXIT_FAILURE, "not finite (image 299");
    fill(set);
}

static void another_class_count_is_refused(elm_net *net, test_set *set)
{
    set->dataset.info.classes = CLASSES - 1;
    refused(net, set, NULL, ELM_EXIT_FAILURE, "3 classes");
    fill(set);
}

/* Only the last rank was asked. */
static void a_wish_to_stop_is_everybodys(elm_net *net, const test_set *set)
{
    const volatile sig_atomic_t stop = elm_comm_rank(comm) == elm_comm_size(comm) - 1;
    refused(net, set, &stop, ELM_EXIT_STOPPED, "stopped on request");
}

static bool text_equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void a_checkpoint_reaches_all(elm_net *net, const test_set *set, const char *path)
{
    static const char *const names[CLASSES] = {"cat", "dog", "h\xc3\xa9ron"};
    static const double losses[] = {2.5, 1.25, 0.625};
    elm_tensor tensors[16];
    elm_history_column history = {"train_loss", 3, losses};
    elm_progress_value progress[] = {{"images", 17}, {"loss", 0.1}};
    const elm_checkpoint made = {
        .job = "[run]\nname = toy\n",
        .epoch = 1.5,
        .step = 42,
        .seed = 1ull << 40,
        .ranks = 3,
        .git = "abc",
        .made_with = "1 thread a rank, a library",
        .chosen_on = "holdout",
        .tensor_count = elm_weights_count(net),
        .tensors = tensors,
        .classes = CLASSES,
        .class_names = names,
        .class_count = set->count,
        .input = {"toy", .channels = 1, .height = 4, .width = 4, .mean = {0.5f}, .std = {2}},
        .history_count = 1,
        .history = &history,
        .progress_count = 2,
        .progress = progress,
    };
    elm_error err = {0};
    check(made.tensor_count <= 16 && elm_weights_export(net, tensors, &err) == 0);
    int status = elm_comm_rank(comm) == 0 ? elm_checkpoint_write(path, &made, &err) : 0;
    check(elm_comm_agree_all(comm, status, &err) == 0);

    elm_checkpoint *got = NULL;
    check(elm_checkpoint_read_all(comm, path, &got, &err) == 0);
    check(text_equal(got->job, made.job) && text_equal(got->git, made.git) &&
          text_equal(got->made_with, made.made_with) && text_equal(got->chosen_on, made.chosen_on));
    check(got->epoch == made.epoch && got->step == made.step && got->seed == made.seed &&
          got->ranks == made.ranks);
    check(got->classes == CLASSES && text_equal(got->class_names[2], names[2]));
    check(memcmp(got->class_count, set->count, sizeof set->count) == 0);
    check(memcmp(&got->input, &made.input, sizeof got->input) == 0);
    check(elm_checkpoint_progress(got, "images", -1) == 17 &&
          elm_checkpoint_progress(got, "loss", -1) == 0.1);
    const elm_history_column *column = elm_checkpoint_history(got, "train_loss");
    check(column != NULL && column->count == 3);
    for (int i = 0; column != NULL && i < 3; i++)
        check(column->values[i] == losses[i]);
    check(got->tensor_count == made.tensor_count);
    for (int i = 0; i < made.tensor_count; i++) {
        const elm_tensor *tensor = elm_checkpoint_tensor(got, tensors[i].name);
        check(tensor != NULL && tensor->count == tensors[i].count &&
              tensor->dimensions == tensors[i].dimensions);
        check(memcmp(tensor->data, tensors[i].data, (size_t)tensor->count * sizeof *tensor->data) ==
              0);
    }
    check(elm_weights_load(net, got->tensors, got->tensor_count, &err) == 0);
    elm_checkpoint_free(got);
}

static void a_missing_checkpoint_is_everybodys(void)
{
    elm_checkpoint *got = NULL;
    elm_error err = {0};
    check(elm_checkpoint_read_all(comm, "/nowhere/at/all.h5", &got, &err) == -1);
    check(got == NULL && strstr(err.text, "/nowhere/at/all.h5") != NULL);
}

static void all_tests(void)
{
    static test_set set;
    char path[] = "/tmp/elmpi-evaluation-XXXXXX";
    const bool first = elm_comm_rank(comm) == 0;
    if (first)
        close(mkstemp(path));
    elm_comm_broadcast_all(comm, path, sizeof path);
    elm_net *net = make_net();
    fill(&set);
    every_image_counts_once(net, &set);
    a_broken_output_is_everybodys(net, &set);
    another_class_count_is_refused(net, &set);
    a_wish_to_stop_is_everybodys(net, &set);
    a_checkpoint_reaches_all(net, &set, path);
    a_missing_checkpoint_is_everybodys();
    every_image_counts_once(net, &set);
    elm_net_destroy(net);
    if (first)
        unlink(path);
}

int main(int argc, char **argv)
{
    return run_on_ranks(argc, argv, "evaluation", all_tests);
}
