/* elmpi-evaluate: what a checkpoint's network predicts on a test set. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cpu/affinity.h"
#include "base/text/name_list.h"
#include "checkpoint/broadcast.h"
#include "checkpoint/check_classes.h"
#include "comm/binding.h"
#include "command.h"
#include "data/content.h"
#include "elmpi/analysis.h"
#include "elmpi/checkpoint.h"
#include "elmpi/classifier.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/evaluation.h"
#include "elmpi/job.h"
#include "elmpi/log.h"
#include "elmpi/loss.h"
#include "elmpi/memory.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"
#include "elmpi/optim.h"
#include "elmpi/output.h"
#include "elmpi/run.h"
#include "elmpi/run_folder.h"
#include "nn/weights.h"
#include "ranks.h"
#include "train/same_cpu.h"

static const char program[] = "elmpi-evaluate";

/* The command line. */
typedef struct command_line {
    const char *checkpoint, *store, *shards, *unreadable, *split, *classifier, *select_on,
        *distance, *groups, *backend, *precision, *layout, *json, *embeddings, *analysis, *binding,
        *class_names;
    bool quiet;
    double tau;     /* NaN: not given */
    double epsilon; /* likewise */
    int64_t k;      /* 0: not given */
    int64_t threads;
    int64_t tsne_classes;       /* -1: not given */
    const elm_classifier *with; /* found from the names above */
    elm_group_rule rule;
} command_line;

/* What is loaded for an evaluation. */
typedef struct evaluated {
    elm_checkpoint *checkpoint;
    elm_job_options options; /* of the checkpoint's job */
    elm_dataset *dataset;
    elm_dataset *train, *selection; /* for classifiers that need them */
    const char *selected_on;        /* split */
    char **names;                   /* of --class-names, or NULL */
    elm_net *net;
    elm_classifier_settings settings;
    bool has_bf16;          /* on all ranks */
    elm_candidate computed; /* with what */
} evaluated;

static void print_classifiers(void)
{
    printf("classifiers:\n");
    for (const elm_classifier *c = elm_classifiers; c->name != NULL; c++)
        printf("  %-24s %s\n", c->name, c->help);
    printf("\nThe figures go to evaluation.json beside the checkpoint (classifier fc on "
           "checkpoint.h5, test split, groups elm),\n"
           "else to evaluation-<checkpoint>-<classifier>[-<split>][-kang].json.\n");
}

/* A flag that the classifier would ignore is a misunderstanding. */
static int check_uses(const command_line *s, elm_error *err)
{
    const struct {
        const char *flag;
        bool given;
        int use;
    } flags[] = {
        {"--tau", !isnan(s->tau), ELM_CLASSIFIER_TAU},
        {"--select-on", s->select_on != NULL, ELM_CLASSIFIER_SELECTION},
        {"--k", s->k != 0, ELM_CLASSIFIER_NEIGHBOURS},
        {"--epsilon", !isnan(s->epsilon) && s->analysis == NULL, ELM_CLASSIFIER_SHRINKAGE},
        {"--distance", s->distance != NULL, ELM_CLASSIFIER_NEIGHBOURS},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given && !(s->with->uses & flags[i].use))
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "%s has no use for it (%s): leave it away, or choose another --classifier",
                s->with->name, flags[i].flag);
    if (s->distance != NULL && strcmp(s->distance, "euclidean") != 0 &&
        strcmp(s->distance, "cosine") != 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "unknown distance %s (--distance): euclidean or cosine", s->distance);
    if (s->select_on != NULL && strcmp(s->select_on, s->split) == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "tau chosen on the split that it is judged by (--select-on %s) would "
                             "be no result: choose it on another one",
                             s->select_on);
    if (s->tsne_classes >= 0 && s->analysis == NULL)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "without an analysis there is no picture (--tsne-classes): give --analysis too");
    if ((s->analysis != NULL || s->embeddings != NULL) && strcmp(s->split, "train") == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "these files hold the training set anyway (--split train): leave "
                             "--split away, or name another");
    if (s->select_on != NULL && !isnan(s->tau))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "a tau that is set is not chosen (--tau and --select-on): leave one away");
    return 0;
}

static elm_command_result parse_command(command_line *s, bool quiet, int argc, char **argv,
                                        elm_error *err)
{
    const elm_flag flags[] = {
        {"--data", ELM_FLAG_TEXT, &s->store, 0, 0, "STORE",
         "the data set, where it is not at the job's data.store"},
        {"--shards", ELM_FLAG_TEXT, &s->shards, 0, 0, "FOLDER",
         "pictures in shards: the folder of the shards, where it is not the job's"},
        {"--unreadable", ELM_FLAG_TEXT, &s->unreadable, 0, 0, "RULE",
         "images that cannot be read: wrong (they count as classified wrongly) or omit (default: "
         "the job's data.unreadable_test)"},
        {"--split", ELM_FLAG_TEXT, &s->split, 0, 0, "NAME",
         "split to evaluate on (default test); holdout: what the job's data.holdout kept from "
         "training"},
        {"--class-names", ELM_FLAG_TEXT, &s->class_names, 0, 0, "FILE",
         "other names of the classes, one a line, class 0 first"},
        {"--classifier", ELM_FLAG_TEXT, &s->classifier, 0, 0, "NAME",
         "who predicts (default fc); list below"},
        {"--tau", ELM_FLAG_REAL, &s->tau, 0, 100, "T",
         "posthoc-la, tau-norm: the strength, instead of 1 or of choosing it"},
        {"--select-on", ELM_FLAG_TEXT, &s->select_on, 0, 0, "SPLIT",
         "tau-norm: split that chooses tau (default holdout where the job has one, else val); "
         "never the one that is evaluated"},
        {"--epsilon", ELM_FLAG_REAL, &s->epsilon, 1e-12, 1e6, "E",
         "lda, --analysis: this share of the mean variance is added to the covariance's diagonal "
         "(default 1e-4)"},
        {"--k", ELM_FLAG_INT, &s->k, 1, 1000, "K", "knn: neighbours (default 5)"},
        {"--distance", ELM_FLAG_TEXT, &s->distance, 0, 0, "NAME",
         "knn: euclidean (default) or cosine"},
        {"--groups", ELM_FLAG_TEXT, &s->groups, 0, 0, "RULE",
         "elm: head >= 100 training images, tail < 20 (default); kang: head > 100"},
        {"--backend", ELM_FLAG_TEXT, &s->backend, 0, 0, "NAME",
         "convolution backend (default: the job's run.backend, or auto where this build lacks it)"},
        {"--layout", ELM_FLAG_TEXT, &s->layout, 0, 0, "NAME",
         "order of activations in memory: blocked, nhwc, nchw, or auto, the quickest as measured "
         "(default: the checkpoint's)"},
        {"--precision", ELM_FLAG_TEXT, &s->precision, 0, 0, "NAME",
         "format of activations: fp32 or bf16 (default: the job's, fp32 where this CPU lacks it)"},
        {"--json", ELM_FLAG_TEXT, &s->json, 0, 0, "FILE", "write the figures there"},
        {"--analysis", ELM_FLAG_TEXT, &s->analysis, 0, 0, "FILE",
         "also write margins, distances, variances, spectra and a t-SNE picture of training and "
         "evaluated split there (HDF5; elmpi-report "
         "draws runs/X/analysis.h5)"},
        {"--tsne-classes", ELM_FLAG_INT, &s->tsne_classes, 0, 20, "N",
         "classes of head, torso and tail each in that picture (default 3)"},
        {"--embeddings", ELM_FLAG_TEXT, &s->embeddings, 0, 0, "FILE",
         "also write embeddings, logits and labels of both splits there (HDF5)"},
        {"--threads", ELM_FLAG_INT, &s->threads, 0, 1024, "N",
         "threads a rank (default 0: as for training)"},
        {"--binding", ELM_FLAG_TEXT, &s->binding, 0, 0, "HOW",
         "which cores a rank runs on: auto or launcher (default: the job's run.binding)"},
        {"--quiet", ELM_FLAG_SWITCH, &s->quiet, 0, 0, NULL, "no table, only the file"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "CHECKPOINT [--classifier NAME] [--data STORE]...",
        .summary = "Evaluates a checkpoint exactly: balanced accuracy, accuracy, head/torso/tail "
                   "and each class. Runs alone or under mpirun.",
        .flags = flags,
        .min_words = 1,
        .max_words = 1,
        .word_name = "a checkpoint",
        .more_help = print_classifiers,
        .quiet = quiet,
    };
    const elm_command_result result = elm_command_parse(&command, argc, argv, err);
    if (result != ELM_COMMAND_RUN)
        return result;
    s->checkpoint = command.words[0];
    s->with = elm_classifier_find(s->classifier, err);
    if (s->with == NULL || elm_group_rule_parse(s->groups, &s->rule, err) != 0 ||
        check_uses(s, err) != 0)
        return ELM_COMMAND_ERROR;
    return ELM_COMMAND_RUN;
}

/* The checkpoint's job names the backend that computed it. A build without that one predicts the
 * same, within rounding, with its own: the line goes, so that the default holds. */
static void forget_missing_backend(elm_checkpoint *checkpoint)
{
    static const char key[] = "\nbackend = ";
    /* what was read is the struct's own */
    char name[ELM_TEXT_SIZE], *line = strstr((char *)checkpoint->job, key);
    if (line == NULL)
        return;
    const char *value = line + sizeof key - 1, *end = value + strcspn(value, "\n");
    snprintf(name, sizeof name, "%.*s", (int)(end - value), value);
    if (elm_net_check_backend(name, NULL) != 0)
        memmove(line, end, strlen(end) + 1);
}

/* The job inside the checkpoint, with what the command line says instead. */
static int parse_job(evaluated *subject, const command_line *s, elm_error *err)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(&subject->options, sets);
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
    elm_job *job = NULL;
    forget_missing_backend(subject->checkpoint);
    const int status = elm_job_parse(&job, subject->checkpoint->job, s->checkpoint, overrides,
                                     count, sets, ELM_JOB_SETS, err);
    elm_job_destroy(job);
    return status;
}

/* Whether the pictures are still those of the store. */
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

static int load_dataset(evaluated *subject, const command_line *s, elm_error *err)
{
    const char *store = subject->options.data.store;
    if (access(store, R_OK) != 0)
        return elm_error_set(
            err, access(store, F_OK) != 0 ? ELM_EXIT_USAGE : ELM_EXIT_FAILURE,
            "the data set is not there or not readable (%s): name its store with --data", store);
    if (strcmp(s->split, "test") == 0 && !store_has(store, "test") && store_has(store, "val"))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the data set has no test split (%s): evaluate on its validation "
                             "pictures with --split val",
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
static int load_more(evaluated *subject, const command_line *s, elm_error *err)
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

/* Ranks without bf16 predict the same, within rounding, in fp32; then all do, unless bf16 was
 * asked for here and now. */
static int choose_precision(const evaluated *subject, const command_line *s,
                            elm_precision *precision, elm_error *err)
{
    *precision = (elm_precision)subject->options.run.precision;
    if (s->precision == NULL && *precision == ELM_PRECISION_BF16 && !subject->has_bf16)
        *precision = ELM_PRECISION_FP32;
    if (elm_net_resolve_precision(*precision, subject->options.run.backend, precision,
                                  s->precision ? err : NULL) == 0)
        return 0;
    *precision = ELM_PRECISION_FP32;
    return s->precision ? -1 : 0;
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

/* What the checkpoint was computed with, as far as this machine can and the command line says
 * nothing else: then nothing is measured, and predictions do not depend on timings. */
static int keep_choice(evaluated *subject, const command_line *s, elm_error *err)
{
    elm_candidate *with = &subject->computed, list[ELM_CANDIDATES_MAX];
    int count;
    with->layout = (elm_layout)subject->options.run.layout;
    with->backend = elm_net_resolve_backend(subject->options.run.backend, err);
    if (with->backend == NULL || choose_precision(subject, s, &with->precision, err) != 0)
        return -1;
    const elm_choice_request request = {with->backend, with->layout, with->precision};
    const int status = elm_choice_list(&request, list, &count, err);
    /* another backend's, or of before layouts were chosen */
    if (s->layout == NULL && (status != 0 || with->layout == ELM_LAYOUT_AUTO)) {
        with->layout = elm_choice_layout_before(with->backend, with->precision);
        return 0;
    }
    return status;
}

static int choose_all(evaluated *subject, const command_line *s, elm_comm *comm, const elm_log *log,
                      elm_error *err)
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

static int load_local(evaluated *subject, const command_line *s, elm_error *err)
{
    return load_dataset(subject, s, err) != 0 ? -1 : load_more(subject, s, err);
}

static int load_all(evaluated *subject, const command_line *s, elm_comm *comm, const elm_log *log,
                    elm_error *err)
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

static void unload(evaluated *subject)
{
    elm_net_destroy(subject->net);
    elm_free(subject->names);
    elm_dataset_destroy(subject->dataset);
    elm_dataset_destroy(subject->train);
    elm_dataset_destroy(subject->selection);
    elm_checkpoint_free(subject->checkpoint);
}

/* Where the figures go: beside the checkpoint. evaluation.json is always the same thing
 * (docs/design.md, section 5), so any other choice has a name of its own. */
static int json_path(const command_line *s, char *path, size_t size_bytes, elm_error *err)
{
    if (s->json != NULL)
        return snprintf(path, size_bytes, "%s", s->json) < (int)size_bytes
                   ? 0
                   : elm_error_set(err, ELM_EXIT_USAGE, "--json: the path is too long");
    const char *slash = strrchr(s->checkpoint, '/');
    const char *base = slash != NULL ? slash + 1 : s->checkpoint;
    const char *dot = strrchr(base, '.');
    const int folder = (int)(base - s->checkpoint);
    const int stem = dot != NULL && strcmp(dot, ".h5") == 0 ? (int)(dot - base) : (int)strlen(base);
    const bool own_split = strcmp(s->split, "test") != 0, own_groups = s->rule != ELM_GROUPS_ELM;
    int length;
    if (strcmp(base, "checkpoint.h5") == 0 && strcmp(s->classifier, "fc") == 0 && !own_split &&
        !own_groups)
        length = snprintf(path, size_bytes, "%.*sevaluation.json", folder, s->checkpoint);
    else
        length =
            snprintf(path, size_bytes, "%.*sevaluation-%.*s-%s%s%s%s%s.json", folder, s->checkpoint,
                     stem, base, s->classifier, own_split ? "-" : "", own_split ? s->split : "",
                     own_groups ? "-" : "", own_groups ? s->groups : "");
    return length < (int)size_bytes
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE,
                               "the checkpoint's path is too long (%s): name the file with --json",
                               base);
}

enum { DETAILS_MAX = 8 };

/* The classifier's settings, and who chose them. */
static void describe_classifier(const evaluated *subject, const command_line *s,
                                elm_evaluation_detail details[DETAILS_MAX], double *k)
{
    const elm_classifier_settings *set = &subject->settings;
    int count = 0;
    *k = (double)set->k;
    if (s->with->uses & ELM_CLASSIFIER_TAU)
        details[count++] = (elm_evaluation_detail){"tau", NULL, &set->tau, 1};
    if (set->chosen) {
        details[count++] = (elm_evaluation_detail){"tau_chosen_on", subject->selected_on, NULL, 0};
        details[count++] =
            (elm_evaluation_detail){"tau_balanced_accuracy", NULL, set->tau_accuracy, ELM_TAUS};
    }
    if (s->with->uses & ELM_CLASSIFIER_SHRINKAGE)
        details[count++] = (elm_evaluation_detail){"epsilon", NULL, &set->epsilon, 1};
    if (s->with->uses & ELM_CLASSIFIER_NEIGHBOURS) {
        details[count++] = (elm_evaluation_detail){"k", NULL, k, 1};
        details[count++] =
            (elm_evaluation_detail){"distance", set->cosine ? "cosine" : "euclidean", NULL, 0};
    }
    details[count] = (elm_evaluation_detail){0};
}

/* Rank 0's part: figures, table, file. */
static int report(const evaluated *subject, const command_line *s, const elm_tally *tally,
                  const elm_log *log, elm_error *err)
{
    elm_evaluation_detail details[DETAILS_MAX];
    double k;
    describe_classifier(subject, s, details, &k);
    const elm_evaluation_about about = {
        .checkpoint = s->checkpoint,
        .classifier = s->classifier,
        .dataset = subject->dataset->info.dataset,
        .split = s->split,
        .class_names =
            (const char *const *)(subject->names != NULL ? subject->names
                                                         : subject->dataset->class_names),
        .train_count = subject->checkpoint->class_count,
        .details = details,
        .epoch = subject->checkpoint->epoch,
        .step = subject->checkpoint->step,
    };
    char path[4096];
    elm_metrics *metrics = NULL;
    if (json_path(s, path, sizeof path, err) != 0 ||
        elm_metrics_create(&metrics, tally, about.train_count, s->rule, err) != 0)
        return -1;
    elm_evaluation_print(log, metrics, &about);
    char newer[256];
    if (elm_run_folder_has_newer(s->checkpoint, subject->checkpoint->step, newer, sizeof newer))
        elm_log_warn(log,
                     "this is not the newest checkpoint of its folder, which is %s (the run was "
                     "stopped between the two, or is at work): "
                     "name that one, or let elmpi-train --resume mend the folder",
                     newer);
    if (strcmp(s->with->name, "posthoc-la") == 0 &&
        strcmp(subject->options.loss.logit, "logadj") == 0)
        elm_log_warn(log, "logadj has taken the priors out while training, and posthoc-la takes "
                          "them out once more: use fc for this checkpoint");
    if (subject->settings.chosen)
        elm_log_info(log, "\n  tau %.1f, chosen on the %s split by balanced accuracy",
                     subject->settings.tau, subject->selected_on);
    const int status = elm_evaluation_write_json(path, metrics, &about, err);
    if (status == 0)
        elm_log_info(log, "\nwritten to %s", path);
    elm_metrics_destroy(metrics);
    return status;
}

/* Files for figures and other programs. */
static int write_more_all(const evaluated *subject, const command_line *s, elm_comm *comm,
                          const elm_log *log, elm_error *err)
{
    const elm_analysis_input input = {.net = subject->net,
                                      .train = subject->train,
                                      .test = subject->dataset,
                                      .test_split = s->split,
                                      .loss = &subject->options.loss,
                                      .checkpoint = s->checkpoint,
                                      .name = subject->options.run.name,
                                      .epsilon = subject->settings.epsilon,
                                      .tsne_classes =
                                          s->tsne_classes >= 0 ? (int)s->tsne_classes : 3,
                                      .comm = comm};
    const struct {
        const char *path;
        int (*write_all)(const elm_analysis_input *input, const char *path, elm_error *err);
    } files[] = {{s->embeddings, elm_embeddings_write_all}, {s->analysis, elm_analysis_write_all}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i].path == NULL)
            continue;
        if (files[i].write_all(&input, files[i].path, err) != 0)
            return -1;
        elm_log_info(log, "written to %s", files[i].path);
    }
    return 0;
}

static int evaluate_all(const command_line *s, elm_comm *comm, const elm_log *log, elm_error *err)
{
    evaluated subject = {0};
    elm_tally tally = {0};
    if (elm_cpu_same_all(comm, err) != 0)
        return -1;
    elm_ticker *ticker = NULL;
    if (!log->quiet && elm_ticker_create(&ticker, log, elm_ticker_seconds(), NULL) == 0)
        /* without a thread it says nothing, and works all the same */
        elm_comm_set_ticker(comm, ticker);
    elm_ticker_begin(ticker, "checkpoint and data set are read", 0);
    subject.has_bf16 = elm_run_has_bf16_all(comm);
    int status = elm_checkpoint_read_all(comm, s->checkpoint, &subject.checkpoint, err);
    if (status == 0)
        status = load_all(&subject, s, comm, log, err);
    if (status == 0)
        status = choose_all(&subject, s, comm, log, err);
    if (status == 0)
        status = elm_comm_agree_all(comm, load_net(&subject, err), err);
    elm_ticker_end(ticker);
    if (status == 0) {
        const elm_classifier_input input = {.net = subject.net,
                                            .test = subject.dataset,
                                            .train = subject.train,
                                            .selection = subject.selection,
                                            .train_count = subject.checkpoint->class_count,
                                            .comm = comm,
                                            .log = log,
                                            .settings = &subject.settings};
        status = s->with->count_all(&input, &tally, err);
    }
    if (status == 0)
        status = elm_comm_agree_all(
            comm, elm_comm_rank(comm) == 0 ? report(&subject, s, &tally, log, err) : 0, err);
    if (status == 0)
        status = write_more_all(&subject, s, comm, log, err);
    elm_comm_set_ticker(comm, NULL);
    elm_ticker_destroy(ticker);
    elm_tally_release(&tally);
    unload(&subject);
    return status;
}

static int run_all(int argc, char **argv, elm_comm *comm)
{
    elm_log log = {.program = program};
    elm_error err = {0};
    const bool speaks = elm_comm_rank(comm) == 0;
    command_line settings = {.split = "test",
                             .classifier = "fc",
                             .groups = "elm",
                             .tau = NAN,
                             .epsilon = NAN,
                             .tsne_classes = -1 /* not given */};
    int status = parse_command(&settings, !speaks, argc, argv, &err);
    log.quiet = !speaks || settings.quiet;
    log.to_stderr = elm_output_is_stdout(settings.json);
    if (status == ELM_COMMAND_RUN)
        status = evaluate_all(&settings, comm, &log, &err);
    if (status < 0 && speaks)
        elm_log_error(&log, "%s", err.text);
    return status < 0 ? err.code : ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    elm_error err = {0};
    elm_comm *comm = NULL;
    elm_program self;
    int code;
    elm_affinity_reload(argv);
    if (elm_program_begin(&self, program, &err) != 0 ||
        elm_ranks_join_all(&self, &comm, &argc, &argv, &err) != 0 ||
        elm_comm_agree_all(comm, elm_watch_enter(self.watch, "work", &err), &err) != 0) {
        elm_log_error(&(elm_log){.program = program}, "%s", err.text);
        code = err.code;
    } else {
        code = run_all(argc, argv, comm);
    }
    elm_ranks_leave_all(&self, comm);
    return elm_program_end(&self, code);
}
