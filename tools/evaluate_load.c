/* What elmpi-evaluate loads: the checkpoint's job, the data sets, the network. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text/name_list.h"
#include "checkpoint/broadcast.h"
#include "checkpoint/check_classes.h"
#include "comm/binding.h"
#include "data/content.h"
#include "elmpi/evaluation.h"
#include "elmpi/job.h"
#include "elmpi/memory.h"
#include "evaluate.h"
#include "nn/weights.h"
#include "train/checkpoint_job.h"

/* The job inside the checkpoint, with what the command line says instead. */
static int parse_job(evaluated *subject, const evaluate_options *s, elm_error *err)
{
    /* A store given here brings its shards, wherever those of the training lay. */
    const struct {
        const char *key, *value;
        bool is_path;
    } given[] = {
        {"data.store", s->store, true},
        {"data.shards",
         s->shards != NULL  ? s->shards
         : s->store != NULL ? ""
                            : NULL,
         true},
        {"run.backend", s->backend, false},
        {"run.precision", s->precision, false},
        {"run.layout", s->layout, false},
        {"run.binding", s->binding, false},
        {"data.unreadable_test", s->unreadable, false},
    };
    enum { GIVEN = sizeof given / sizeof *given };
    char texts[GIVEN][ELM_TEXT_SIZE + 16];
    const char *overrides[GIVEN];
    int count = 0;
    for (int i = 0; i < GIVEN; i++)
        if (given[i].value != NULL) {
            char path[ELM_TEXT_SIZE];
            if (given[i].is_path &&
                elm_path_escape(given[i].value, path, sizeof path) >= sizeof path)
                return elm_error_set(err, ELM_EXIT_USAGE,
                                     "the path is too long (%.80s...): use a shorter one",
                                     given[i].value);
            snprintf(texts[count], sizeof texts[count], "%s=%s", given[i].key,
                     given[i].is_path ? path : given[i].value);
            overrides[count] = texts[count];
            count++;
        }
    return elm_job_of_checkpoint(subject->checkpoint, s->checkpoint, overrides, count,
                                 &subject->options, err);
}

/* Whether the images are still those of the store. */
static int check_content(const evaluated *subject, const elm_comm *comm, elm_error *err)
{
    uint64_t sample;
    return elm_comm_rank(comm) == 0 ? elm_content_sample(subject->dataset, &sample, err) : 0;
}

static bool store_has(const char *store_path, const char *split)
{
    elm_store *store = NULL;
    const bool has =
        elm_store_open(&store, store_path, NULL) == 0 && elm_store_count(store, split) > 0;
    elm_store_close(store);
    return has;
}

static int load_dataset(evaluated *subject, const evaluate_options *s, elm_error *err)
{
    const char *store = subject->options.data.store;
    if (access(store, R_OK) != 0)
        return elm_error_set(
            err, access(store, F_OK) != 0 ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
            "the data set is not there or not readable (%s): name its store with --data", store);
    if (strcmp(s->split, "test") == 0 && !store_has(store, "test") && store_has(store, "val"))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the data set has no test split (%s): evaluate on its validation "
                             "images with --split val",
                             store);
    if (elm_dataset_load_job(&subject->dataset, &subject->options.data, s->split, err) != 0)
        return -1;
    if (s->class_names != NULL && elm_name_list_read(s->class_names, subject->dataset->info.classes,
                                                     &subject->names, err) != 0)
        return -1;
    const elm_dataset *dataset = subject->dataset;
    const elm_checkpoint_data data = {dataset->info.dataset, store, dataset->class_names,
                                      dataset->info.classes};
    return elm_checkpoint_check_classes(subject->checkpoint, &data,
                                        "name the right store with --data", err);
}

/* What a classifier is made from besides the network: training images, and the split that
 * chooses its tau. */
static int load_more(evaluated *subject, const evaluate_options *s, elm_error *err)
{
    elm_data_options *data = &subject->options.data;
    subject->settings = (elm_classifier_settings){.tau = s->tau,
                                                  .k = s->k > 0 ? s->k : 5,
                                                  .epsilon = isnan(s->epsilon) ? 1e-4 : s->epsilon,
                                                  .cosine = s->distance != NULL &&
                                                            strcmp(s->distance, "cosine") == 0};
    const bool wanted =
        (s->with->uses & ELM_CLASSIFIER_TRAIN) || s->analysis != NULL || s->embeddings != NULL;
    if (wanted && elm_dataset_load_job(&subject->train, data, "train", err) != 0)
        return -1;
    if (!(s->with->uses & ELM_CLASSIFIER_SELECTION) || !isnan(s->tau))
        return 0;
    const char *split = s->select_on;
    if (split == NULL && elm_dataset_holds_out(data))
        split = "holdout";
    if (split == NULL && store_has(data->store, "val"))
        split = "val";
    if (split == NULL || strcmp(split, s->split) == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "nothing to choose tau on but the %s split itself, which would be no "
                             "result (%s): train with data.holdout, or "
                             "set --tau",
                             s->split, s->with->name);
    subject->selected_on = split;
    return elm_dataset_load_job(&subject->selection, data, split, err);
}

static elm_net_spec describe_net(const evaluated *subject)
{
    const elm_store_info *info = &subject->dataset->info;
    return (elm_net_spec){
        .model = &subject->options.model,
        .channels = info->channels,
        .height = info->height,
        .width = info->width,
        .features = info->features,
        .classes = info->classes,
        .max_images = elm_evaluation_batch(info),
        .ranks = 1,
        .seed = (uint64_t)subject->options.run.seed,
    };
}

static int keep_choice(evaluated *subject, const evaluate_options *s, elm_error *err)
{
    const elm_choice_given given = {.layout = s->layout != NULL, .precision = s->precision != NULL};
    return elm_job_choice(&subject->options, subject->has_bf16, given, &subject->computed, err);
}

static int choose_all(evaluated *subject, const evaluate_options *s, elm_comm *comm,
                      const elm_log *log, elm_error *err)
{
    const char *const said[] = {s->backend, s->layout, s->precision};
    bool open = false;
    for (int i = 0; i < 3; i++)
        open |= said[i] != NULL && strcmp(said[i], "auto") == 0;
    if (!open)
        return elm_comm_agree_all(comm, keep_choice(subject, s, err), err);
    const elm_run_options *o = &subject->options.run;
    const elm_choice_request request = {o->backend, (elm_layout)o->layout,
                                        (elm_precision)o->precision};
    const elm_net_spec spec = describe_net(subject);
    return elm_run_choose_all(comm, &request, &spec, log, &subject->computed, err);
}

static int load_net(evaluated *subject, elm_error *err)
{
    elm_net_spec spec = describe_net(subject);
    spec.backend = subject->computed.backend;
    spec.layout = subject->computed.layout;
    spec.precision = subject->computed.precision;
    if (elm_net_create(&subject->net, &spec, err) != 0)
        return -1;
    return elm_weights_load(subject->net, subject->checkpoint->tensors,
                            subject->checkpoint->tensor_count, err);
}

/* A store from outside is read by a process of rank 0's first; load_dataset says when it is not
 * there. */
static int check_store_all(const evaluated *subject, elm_comm *comm, elm_error *err)
{
    const char *store = subject->options.data.store;
    const bool asks = elm_comm_rank(comm) == 0 && access(store, R_OK) == 0;
    return elm_comm_agree_all(comm, asks ? elm_store_check(store, err) : 0, err);
}

static int load_local(evaluated *subject, const evaluate_options *s, elm_error *err)
{
    return load_dataset(subject, s, err) != 0 ? -1 : load_more(subject, s, err);
}

static int load_data_all(evaluated *subject, const evaluate_options *s, elm_comm *comm,
                         const elm_log *log, elm_error *err)
{
    char binding[ELM_BINDING_TEXT];
    if (elm_comm_agree_all(comm, parse_job(subject, s, err), err) != 0 ||
        check_store_all(subject, comm, err) != 0)
        return -1;
    const int64_t asked = s->threads > 0 ? s->threads : subject->options.run.threads;
    elm_binding_apply_all(comm, subject->options.run.binding, (int)asked, binding);
    elm_log_info(log, "%s", binding);
    if (elm_comm_agree_all(comm, load_local(subject, s, err), err) != 0)
        return -1;
    return elm_comm_agree_all(comm, check_content(subject, comm, err), err);
}

void evaluate_unload(evaluated *subject)
{
    elm_net_destroy(subject->net);
    elm_free(subject->names);
    elm_dataset_destroy(subject->dataset);
    elm_dataset_destroy(subject->train);
    elm_dataset_destroy(subject->selection);
    elm_checkpoint_free(subject->checkpoint);
}

int evaluate_load_all(evaluated *subject, const evaluate_options *s, elm_comm *comm,
                      const elm_log *log, elm_error *err)
{
    subject->has_bf16 = elm_run_has_bf16_all(comm);
    if (elm_checkpoint_read_all(comm, s->checkpoint, &subject->checkpoint, err) != 0 ||
        elm_comm_agree_all(
            comm, elm_checkpoint_choose_weights(subject->checkpoint, s->weights, err), err) != 0 ||
        load_data_all(subject, s, comm, log, err) != 0 ||
        choose_all(subject, s, comm, log, err) != 0)
        return -1;
    return elm_comm_agree_all(comm, load_net(subject, err), err);
}
