/* A run's parts, for run.c (the flow), run_setup.c (what comes before the first step) and run_save.c (what is written). */
#ifndef ELMPI_TRAIN_RUN_H
#define ELMPI_TRAIN_RUN_H

#include "elmpi/job.h"
#include "elmpi/run.h"
#include "elmpi/run_folder.h"
#include "train/history.h"

typedef struct elm_run {
    const elm_run_request *request;
    elm_comm *comm;
    elm_log *log;

    /* The job. */
    elm_job_options options;
    elm_job *job;

    /* What it works with. */
    elm_dataset *train;
    elm_dataset *test, *holdout; /* NULL where the store has none, where the job holds none out */
    elm_trainer *trainer;
    elm_loader *loader;
    elm_run_folder *folder; /* rank 0 only */
    FILE *log_file;         /* rank 0 only */

    /* Where it stands. */
    int64_t steps_per_epoch, total_steps, step;
    elm_epoch_sums sums;
    elm_history history;
    double last_save; /* elm_comm_seconds */
    double last_lr;
    struct {
        double started, shown; /* elm_comm_seconds */
        int64_t first_step;
    } progress;
} elm_run;

/** Job, data, network, folder and, with --resume or --init, the state to begin with.
 *  Ranks:  collective; errors agreed */
int elm_run_setup_all(elm_run *run, elm_error *err);
void elm_run_release(elm_run *run);
int elm_run_threads(const elm_run *run);

/** Writes a checkpoint of this moment. Collective; rank 0 writes, all agree. */
int elm_run_save_all(elm_run *run, elm_error *err);
/** Writes metrics.csv. Collective. */
int elm_run_save_metrics_all(elm_run *run, elm_error *err);
/** Evaluates on the test set or the held-out images; *metrics NULL where dataset is. Collective. */
int elm_run_evaluate_all(elm_run *run, const elm_dataset *dataset, elm_metrics **metrics, elm_error *err);
/** Table and evaluation.json of the final weights. Collective. */
int elm_run_report_all(elm_run *run, const elm_metrics *metrics, elm_error *err);

#endif
