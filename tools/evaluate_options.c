/* The command line of elmpi-evaluate. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evaluate.h"

static void print_classifiers(void)
{
    printf("classifiers:\n");
    for (const elm_classifier *c = elm_classifiers; c->name != NULL; c++)
        printf("  %-24s %s\n", c->name, c->help);
    printf("\nThe figures go to evaluation.json beside the checkpoint (classifier fc on "
           "checkpoint.h5, test split, groups elm),\n"
           "else to evaluation-<checkpoint>[-ema]-<classifier>[-<split>][-kang].json.\n");
}

/* A flag that the classifier would ignore is an error. */
static int check_uses(const evaluate_options *s, elm_error *err)
{
    const struct {
        const char *flag;
        bool given;
        int use;
    } flags[] = {
        {"--tau", !isnan(s->tau), ELM_CLASSIFIER_TAU},
        {"--select-on", s->select_on != NULL, ELM_CLASSIFIER_SELECTION},
        {"--k", s->k != 0, ELM_CLASSIFIER_NEIGHBORS},
        {"--epsilon", !isnan(s->epsilon) && s->analysis == NULL, ELM_CLASSIFIER_SHRINKAGE},
        {"--distance", s->distance != NULL, ELM_CLASSIFIER_NEIGHBORS},
    };
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (flags[i].given && !(s->with->uses & flags[i].use))
            return elm_error_set(
                err, ELM_EXIT_USAGE,
                "%s does not use this option (%s): omit it, or choose another --classifier",
                s->with->name, flags[i].flag);
    if (s->distance != NULL && strcmp(s->distance, "euclidean") != 0 &&
        strcmp(s->distance, "cosine") != 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "unknown distance %s (--distance): euclidean or cosine", s->distance);
    if (s->select_on != NULL && strcmp(s->select_on, s->split) == 0)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "tau chosen on the split that is evaluated (--select-on %s) would give "
            "a biased result: choose it on another split",
            s->select_on);
    if (s->tsne_classes >= 0 && s->analysis == NULL)
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "without an analysis there is no t-SNE plot (--tsne-classes): give --analysis too");
    if ((s->analysis != NULL || s->embeddings != NULL) && strcmp(s->split, "train") == 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "these files hold the training set anyway (--split train): omit "
                             "--split, or name another");
    if (s->select_on != NULL && !isnan(s->tau))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "tau is either given or chosen (--tau and --select-on): omit one");
    return 0;
}

elm_command_result evaluate_parse(evaluate_options *s, const char *program, bool quiet, int argc,
                                  char **argv, elm_error *err)
{
    const elm_flag flags[] = {
        {"--data", ELM_FLAG_TEXT, &s->store, 0, 0, "STORE",
         "the data set, where it is not at the job's data.store"},
        {"--shards", ELM_FLAG_TEXT, &s->shards, 0, 0, "FOLDER",
         "images in shards: the folder of the shards, where it is not the job's"},
        {"--unreadable", ELM_FLAG_TEXT, &s->unreadable, 0, 0, "RULE",
         "images that cannot be read: wrong (they count as classified wrongly) or omit (default: "
         "the job's data.unreadable_test)"},
        {"--split", ELM_FLAG_TEXT, &s->split, 0, 0, "NAME",
         "split to evaluate on (default test); holdout: what the job's data.holdout kept from "
         "training"},
        {"--class-names", ELM_FLAG_TEXT, &s->class_names, 0, 0, "FILE",
         "other names of the classes, one a line, class 0 first"},
        {"--weights", ELM_FLAG_TEXT, &s->weights, 0, 0, "WHICH",
         "last (default): as the last step left them; ema: their moving average, of a run with "
         "optim.ema"},
        {"--classifier", ELM_FLAG_TEXT, &s->classifier, 0, 0, "NAME",
         "classifier that predicts (default fc); list below"},
        {"--tau", ELM_FLAG_REAL, &s->tau, 0, 100, "T",
         "posthoc-la, tau-norm: the strength, instead of 1 or of choosing it"},
        {"--select-on", ELM_FLAG_TEXT, &s->select_on, 0, 0, "SPLIT",
         "tau-norm: split that chooses tau (default holdout where the job has one, else val); "
         "never the one that is evaluated"},
        {"--epsilon", ELM_FLAG_REAL, &s->epsilon, 1e-12, 1e6, "E",
         "lda, --analysis: this share of the mean variance is added to the covariance's diagonal "
         "(default 1e-4)"},
        {"--k", ELM_FLAG_INT, &s->k, 1, 1000, "K", "knn: neighbors (default 5)"},
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
         "also write margins, distances, variances, spectra and a t-SNE plot of training and "
         "evaluated split there (HDF5; elmpi-report "
         "draws runs/X/analysis.h5)"},
        {"--tsne-classes", ELM_FLAG_INT, &s->tsne_classes, 0, 20, "N",
         "classes of head, torso and tail each in that plot (default 3)"},
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
