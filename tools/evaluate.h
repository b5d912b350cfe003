/* Parts of elmpi-evaluate: its command line (evaluate_options.c), what it loads
 * (evaluate_load.c) and what it writes (evaluate_report.c). */
#ifndef ELMPI_TOOLS_EVALUATE_H
#define ELMPI_TOOLS_EVALUATE_H

#include "command.h"
#include "elmpi/checkpoint.h"
#include "elmpi/classifier.h"
#include "elmpi/comm.h"
#include "elmpi/dataset.h"
#include "elmpi/log.h"
#include "elmpi/metrics.h"
#include "elmpi/net.h"
#include "elmpi/run.h"

/* The command line. */
typedef struct evaluate_options {
    const char *checkpoint, *store, *shards, *unreadable, *split, *classifier, *select_on,
        *distance, *groups, *backend, *precision, *layout, *json, *embeddings, *analysis, *binding,
        *class_names, *weights;
    bool quiet;
    double tau;     /* NaN: not given */
    double epsilon; /* likewise */
    int64_t k;      /* 0: not given */
    int64_t threads;
    int64_t tsne_classes;       /* -1: not given */
    const elm_classifier *with; /* found from the names above */
    elm_group_rule rule;
} evaluate_options;

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

/** Fills `s` from the command line of `program`; flags that are not given leave what is there. */
elm_command_result evaluate_parse(evaluate_options *s, const char *program, bool quiet, int argc,
                                  char **argv, elm_error *err);

/** Checkpoint, data sets and network. Collective; errors agreed.
 *  Owns:   the caller calls evaluate_unload, also after an error */
int evaluate_load_all(evaluated *subject, const evaluate_options *s, elm_comm *comm,
                      const elm_log *log, elm_error *err);
void evaluate_unload(evaluated *subject);

/** Rank 0's part: figures, table, file. */
int evaluate_report(const evaluated *subject, const evaluate_options *s,
                    const elm_recall_counts *tally, const elm_log *log, elm_error *err);
/** Files for figures and other programs. Collective; errors agreed. */
int evaluate_write_more_all(const evaluated *subject, const evaluate_options *s, elm_comm *comm,
                            const elm_log *log, elm_error *err);

#endif
