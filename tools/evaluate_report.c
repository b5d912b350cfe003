/* What elmpi-evaluate writes: the table, the figures' file, files for other programs. */
#include <stdio.h>
#include <string.h>

#include "elmpi/analysis.h"
#include "elmpi/evaluation.h"
#include "evaluate.h"
#include "newest.h"

static bool is_average(const evaluate_options *s)
{
    return s->weights != NULL && strcmp(s->weights, "ema") == 0;
}

/* Where the figures go: beside the checkpoint. evaluation.json is always the same thing
 * (docs/design.md, section 5), so any other choice has a name of its own. */
static int json_path(const evaluate_options *s, char *path, size_t size_bytes, elm_error *err)
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
    const bool own_split = strcmp(s->split, "test") != 0, own_groups = s->rule != ELM_GROUPS_ELM,
               own_weights = is_average(s);
    int length;
    if (strcmp(base, "checkpoint.h5") == 0 && strcmp(s->classifier, "fc") == 0 && !own_split &&
        !own_groups && !own_weights)
        length = snprintf(path, size_bytes, "%.*sevaluation.json", folder, s->checkpoint);
    else
        length = snprintf(path, size_bytes, "%.*sevaluation-%.*s%s-%s%s%s%s%s.json", folder,
                          s->checkpoint, stem, base, own_weights ? "-ema" : "", s->classifier,
                          own_split ? "-" : "", own_split ? s->split : "", own_groups ? "-" : "",
                          own_groups ? s->groups : "");
    return length < (int)size_bytes
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE,
                               "the checkpoint's path is too long (%s): name the file with --json",
                               base);
}

/* Not the run's last checkpoint, but the one that its held-out images chose; its file says so. */
static bool is_best(const evaluated *subject)
{
    const char *chosen_on = subject->checkpoint->chosen_on;
    return chosen_on != NULL && strcmp(chosen_on, "holdout") == 0;
}

enum { DETAILS_MAX = 10 };

/* The classifier's settings, and who chose them. */
static void describe_classifier(const evaluated *subject, const evaluate_options *s,
                                elm_evaluation_detail details[DETAILS_MAX], double *k)
{
    const elm_classifier_settings *set = &subject->settings;
    int count = 0;
    *k = (double)set->k;
    if (is_best(subject))
        details[count++] = (elm_evaluation_detail){"checkpoint_chosen_on", "holdout", NULL, 0};
    if (is_average(s))
        details[count++] = (elm_evaluation_detail){"weights", s->weights, NULL, 0};
    if (s->with->uses & ELM_CLASSIFIER_TAU)
        details[count++] = (elm_evaluation_detail){"tau", NULL, &set->tau, 1};
    if (set->chosen) {
        details[count++] = (elm_evaluation_detail){"tau_chosen_on", subject->selected_on, NULL, 0};
        details[count++] =
            (elm_evaluation_detail){"tau_balanced_accuracy", NULL, set->tau_accuracy, ELM_TAUS};
    }
    if (s->with->uses & ELM_CLASSIFIER_SHRINKAGE)
        details[count++] = (elm_evaluation_detail){"epsilon", NULL, &set->epsilon, 1};
    if (s->with->uses & ELM_CLASSIFIER_NEIGHBORS) {
        details[count++] = (elm_evaluation_detail){"k", NULL, k, 1};
        details[count++] =
            (elm_evaluation_detail){"distance", set->cosine ? "cosine" : "euclidean", NULL, 0};
    }
    details[count] = (elm_evaluation_detail){0};
}

static void say_best(const evaluated *subject, const evaluate_options *s, const elm_log *log)
{
    if (!is_best(subject))
        return;
    elm_log_info(log, "\n  checkpoint: the best on the held-out images (checkpoint.best), not the "
                      "last");
    if (strcmp(s->split, "holdout") == 0)
        elm_log_warn(log, "the held-out images have chosen this checkpoint, so their figures are "
                          "biased and no result: evaluate it on another split");
}

int evaluate_report(const evaluated *subject, const evaluate_options *s,
                    const elm_recall_counts *tally, const elm_log *log, elm_error *err)
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
    if (is_average(s))
        elm_log_info(log, "\n  weights: their moving average (optim.ema = %g)",
                     subject->options.optim.ema);
    say_best(subject, s, log);
    elm_warn_unless_newest(log, s->checkpoint, subject->checkpoint);
    if (strcmp(s->with->name, "posthoc-la") == 0 &&
        strcmp(subject->options.loss.logit, "logadj") == 0)
        elm_log_warn(log, "logadj has removed the priors in training already, and posthoc-la "
                          "removes them again: use fc for this checkpoint");
    if (subject->settings.chosen)
        elm_log_info(log, "\n  tau %.1f, chosen on the %s split by balanced accuracy",
                     subject->settings.tau, subject->selected_on);
    const int status = elm_evaluation_write_json(path, metrics, &about, err);
    if (status == 0)
        elm_log_info(log, "\nwritten to %s", path);
    elm_metrics_destroy(metrics);
    return status;
}

int evaluate_write_more_all(const evaluated *subject, const evaluate_options *s, elm_comm *comm,
                            const elm_log *log, elm_error *err)
{
    const elm_analysis_input input = {.net = subject->net,
                                      .train = subject->train,
                                      .test = subject->dataset,
                                      .test_split = s->split,
                                      .loss = &subject->options.loss,
                                      .checkpoint = s->checkpoint,
                                      .weights = s->weights != NULL ? s->weights : "last",
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
