/* A run's parts, for run.c (the flow), run_options.c (its options), run_setup.c, run_data.c and
 * run_start.c (what comes before the first step), run_introduce.c and run_environment.c (what it
 * computes, and with what), run_output.c, run_bank.c
 * and run_best.c (what is written, and which checkpoint is the best). */
#ifndef ELMPI_TRAIN_RUN_H
#define ELMPI_TRAIN_RUN_H

#include "comm/binding.h"
#include "elmpi/job.h"
#include "elmpi/run.h"
#include "elmpi/run_folder.h"
#include "train/dataset_fingerprint.h"
#include "train/metrics/epoch_metrics.h"
#include "train/metrics/progress.h"
#include "train/metrics/tensorboard.h"
#include "train/nonfinite_policy.h"

typedef struct elm_run {
    const elm_run_request *request;
    elm_comm *comm;
    elm_log *log;

    /* The job. */
    elm_job_options options;
    elm_job *job;
    /* what the job says of backend, layout and precision, and what it leaves open */
    elm_choice_request asked;
    elm_candidate chosen;           /* what the open ones stand for; backend NULL: not known yet */
    char binding[ELM_BINDING_TEXT]; /* which cores the ranks have */

    /* What it works with. */
    elm_dataset *train;
    elm_dataset *test, *holdout; /* NULL where the store has none, where the job holds none out */
    const char *test_split;      /* "test", or "val" of a store without a test split */
    elm_dataset_fingerprint data;
    elm_trainer *trainer;
    elm_checkpoint *start; /* to go on from, until it is taken over; NULL: from the beginning */
    char start_name[256];
    elm_loader *loader;
    elm_run_folder *folder; /* rank 0 only */
    FILE *log_file;         /* rank 0 only */
    bool log_is_new;        /* there was none before */
    char log_path[4200];
    char resumed_from[256]; /* rank 0: the checkpoint's name; empty: none */
    bool set_up;            /* all is well: the folder is the run's */

    /* Where it stands. */
    int64_t steps_per_epoch, total_steps, step;
    bool unsaved; /* something has happened since the last checkpoint */
    elm_epoch_sums sums;
    elm_history history;
    double last_save; /* elm_clock_seconds */
    double last_lr;

    /* Outputs and watchdog. */
    elm_progress progress;
    elm_tensorboard tensorboard; /* rank 0 only */
    elm_nonfinite nonfinite;
} elm_run;

/** The job, with nothing left open. Local. */
int elm_run_load_job(elm_run *run, elm_error *err);
/** Writes into the job what stands for the things that it leaves open. Local. */
int elm_run_settle_job(elm_run *run, const elm_candidate *chosen, elm_error *err);
/** Whether the job can begin without a checkpoint of its own. Local. */
int elm_run_check_start(const elm_run *run, elm_error *err);
/** Whether a checkpoint's job can go on as this one; takes over where its weights came from.
 * Local. */
int elm_run_continue_job(elm_run *run, const elm_checkpoint *checkpoint, elm_error *err);

/** Job, data, network, folder and, with --resume or --init, the state to begin with.
 *  Ranks:  collective; errors agreed; the folder is as it was then */
int elm_run_setup_all(elm_run *run, elm_error *err);
void elm_run_release(elm_run *run);
/** Store, shards and data sets. Collective; errors agreed. */
int elm_run_load_data_all(elm_run *run, elm_error *err);
/** What to go on from, rank 0's on all ranks, and its job: the network is made as it was.
 * Collective; errors agreed. */
int elm_run_find_start_all(elm_run *run, elm_error *err);
/** Takes it over, or else the weights that the job names. Collective; errors agreed. */
int elm_run_set_start_all(elm_run *run, elm_error *err);
/** Logs what is about to be computed, and with what. Local. */
void elm_run_introduce(const elm_run *run);

int elm_run_threads(const elm_run *run);
/** Threads and libraries that compute here. */
void elm_run_describe(const elm_run *run, char *text, size_t size);

/** Writes a checkpoint of this moment. Collective; rank 0 writes, all agree. */
int elm_run_save_all(elm_run *run, elm_error *err);
/** The same as the best one, best.h5, without the memory bank. Collective. */
int elm_run_save_best_all(elm_run *run, elm_error *err);
/** Whether checkpoint.best has images to choose by, and evaluations. Local.
 *  Errors: ELM_EXIT_USAGE */
int elm_run_check_best(const elm_job_options *options, elm_error *err);
/** Whether the row, not yet in the history, is better than all in it by checkpoint.best. Local,
 * and the same on all ranks. */
bool elm_run_is_best(const elm_run *run, const elm_epoch_metrics *row);
/** Where checkpoint.early_stop is over, this step becomes the run's last. Local, and the same on all
 * ranks. */
void elm_run_stop_early(elm_run *run);
/** Rank 0, of a resumed run: best.h5 leads to the best step of the history; a warning where the
 * folder lacks it and checkpoint.best asks for it. */
int elm_run_settle_best(const elm_run *run, elm_error *err);
/** Logs the best step by the held-out images, and whether best.h5 holds its weights. */
void elm_run_say_best(const elm_run *run);
/** The memory bank as the checkpoint's tail (records 0: none, or not wanted), for rank 0 to
 * write. Local. _finish_all must follow on all ranks, whatever became of the writing. */
elm_checkpoint_tail elm_run_bank_tail(const elm_run *run);
void elm_run_bank_finish_all(const elm_run *run);
/** Fills the bank from the checkpoint of that name in the run's folder, or by a pass over the
 * training set where it has none. Collective. */
int elm_run_restore_bank_all(elm_run *run, const elm_checkpoint *checkpoint, const char *name,
                             elm_error *err);
/** Writes job.ini. Rank 0. */
int elm_run_save_job(elm_run *run, elm_error *err);
/** Writes metrics.csv. Collective. */
int elm_run_save_metrics_all(elm_run *run, elm_error *err);
/** Evaluates on the test set or the held-out images; *metrics NULL where dataset is. Collective.
 *  Errors: ELM_EXIT_STOPPED when a stop is requested meanwhile */
int elm_run_evaluate_all(elm_run *run, const elm_dataset *dataset, elm_metrics **metrics,
                         elm_error *err);
/** Whether evaluation.json is not there or of another step. Collective. */
bool elm_run_lacks_report_all(elm_run *run);
/** Table and evaluation.json of the final weights. Collective. */
int elm_run_report_all(elm_run *run, const elm_metrics *metrics, elm_error *err);

#endif
