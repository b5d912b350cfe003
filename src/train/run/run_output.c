/* What a run leaves behind: checkpoints, metrics.csv, evaluation.json. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/process/clock.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "eval/network_input.h"
#include "train/run/run.h"

/* A last step may break what no later step will notice. */
static int check_finite(const elm_checkpoint *checkpoint, elm_error *err)
{
    const char *name = elm_tensors_not_finite(checkpoint->tensors, checkpoint->tensor_count);
    return !name ? 0
                 : elm_error_set(err, ELM_EXIT_FAILURE,
                                 "%s is not finite any more (step %lld): no checkpoint of it is "
                                 "written: lower optim.lr, lengthen "
                                 "optim.warmup_epochs, set optim.clip_norm or lower loss.lambda",
                                 name, (long long)checkpoint->step);
}

static int save(elm_run *run, bool best, elm_error *err)
{
    elm_progress_value progress[ELM_EPOCH_SUMS + ELM_DATASET_FINGERPRINT_VALUES];
    char made_with[1024];
    elm_epoch_sums_export(&run->sums, progress);
    elm_dataset_fingerprint_export(&run->data, progress + ELM_EPOCH_SUMS);
    elm_run_describe(run, made_with, sizeof made_with);
    elm_checkpoint checkpoint = {
        .job = elm_job_text(run->job),
        .epoch = (double)run->step / (double)run->steps_per_epoch,
        .step = run->step,
        .seed = (uint64_t)run->options.run.seed,
        .ranks = elm_comm_size(run->comm),
        .git = run->request->version,
        .made_with = made_with,
        .chosen_on = best ? "holdout" : NULL,
        .classes = run->train->info.classes,
        .class_names = (const char *const *)run->train->class_names,
        .class_count = run->train->class_count,
        .input = elm_network_input_of(run->train),
        .progress_count = sizeof progress / sizeof *progress,
        .progress = progress,
        .watch = elm_comm_watch(run->comm),
        .tail = best ? (elm_checkpoint_tail){0} : elm_run_bank_tail(run),
    };
    int status = elm_watchdog_enter(checkpoint.watch, "checkpoint", err);
    if (!status)
        status =
            elm_trainer_export(run->trainer, &checkpoint.tensors, &checkpoint.tensor_count, err);
    if (!status)
        status = check_finite(&checkpoint, err);
    if (!status)
        status =
            elm_history_columns(&run->history, &checkpoint.history, &checkpoint.history_count, err);
    if (!status)
        status =
            best ? elm_run_folder_save_best(run->folder, &checkpoint, err)
                 : elm_run_folder_save(run->folder, &checkpoint, run->options.checkpoint.keep, err);
    elm_history_columns_free(checkpoint.history, checkpoint.history_count);
    elm_free(checkpoint.tensors);
    return status;
}

int elm_run_save_all(elm_run *run, elm_error *err)
{
    elm_tensorboard_flush(&run->tensorboard);
    int status = run->folder ? save(run, false, err)
                             : elm_watchdog_enter(elm_comm_watch(run->comm), "checkpoint", err);
    elm_run_bank_finish_all(run);
    status = elm_comm_agree_all(run->comm, status, err);
    run->last_save = elm_clock_seconds();
    run->unsaved = status != 0;
    return status;
}

int elm_run_save_best_all(elm_run *run, elm_error *err)
{
    return elm_comm_agree_all(
        run->comm,
        run->folder ? save(run, true, err)
                    : elm_watchdog_enter(elm_comm_watch(run->comm), "checkpoint", err),
        err);
}

static int write_job(elm_output *output, const void *context, elm_error *err)
{
    const elm_run *run = context;
    const char *origin = elm_job_origin(run->job), *text = elm_job_text(run->job);
    (void)err;
    elm_output_write(output, origin, strlen(origin));
    elm_output_write(output, text, strlen(text));
    return 0;
}

int elm_run_save_job(elm_run *run, elm_error *err)
{
    return elm_run_folder_write(run->folder, "job.ini", write_job, run, err);
}

int elm_run_save_metrics_all(elm_run *run, elm_error *err)
{
    const int status = run->folder ? elm_run_folder_write(run->folder, "metrics.csv",
                                                          elm_history_put_csv, &run->history, err)
                                   : 0;
    return elm_comm_agree_all(run->comm, status, err);
}

int elm_run_evaluate_all(elm_run *run, const elm_dataset *dataset, elm_metrics **metrics,
                         elm_error *err)
{
    *metrics = NULL;
    if (!dataset)
        return 0;
    elm_recall_counts tally;
    if (elm_comm_agree_all(run->comm,
                           elm_watchdog_enter(elm_comm_watch(run->comm), "evaluation", err), err) ||
        elm_evaluation_count_all(elm_trainer_net(run->trainer), dataset, run->comm,
                                 run->request->stop, run->log, &tally, err))
        return -1;
    const int status =
        elm_metrics_create(metrics, &tally, run->train->class_count, ELM_GROUPS_ELM, err);
    elm_recall_counts_release(&tally);
    if (elm_comm_agree_all(run->comm, status, err)) { /* some rank may have got its own */
        elm_metrics_destroy(*metrics);
        *metrics = NULL;
        return -1;
    }
    return 0;
}

static bool lacks_report(const elm_run *run)
{
    char report[4200], line[8192];
    long long step = -1;
    snprintf(report, sizeof report, "%s/evaluation.json", elm_run_folder_path(run->folder));
    FILE *file = fopen(report, "r");
    while (file && step < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, " \"step\": %lld", &step) != 1)
            step = -1;
    if (file)
        fclose(file);
    return step != run->step;
}

bool elm_run_lacks_report_all(elm_run *run)
{
    bool lacks = run->folder && lacks_report(run);
    elm_comm_broadcast_all(run->comm, &lacks, sizeof lacks);
    return lacks;
}

typedef struct report {
    const elm_metrics *metrics;
    const elm_evaluation_about *about;
} report;

static int write_report(elm_output *output, const void *context, elm_error *err)
{
    const report *r = context;
    return elm_evaluation_put_json(output, r->metrics, r->about, err);
}

int elm_run_report_all(elm_run *run, const elm_metrics *metrics, elm_error *err)
{
    int status = 0;
    if (run->folder) {
        const elm_evaluation_about about = {
            .checkpoint = "checkpoint.h5",
            .classifier = "fc",
            .dataset = run->test->info.dataset,
            .split = run->test_split,
            .class_names = (const char *const *)run->test->class_names,
            .train_count = run->train->class_count,
            .epoch = (double)run->step / (double)run->steps_per_epoch,
            .step = run->step,
        };
        elm_evaluation_print(run->log, metrics, &about);
        status = elm_run_folder_write(run->folder, "evaluation.json", write_report,
                                      &(report){metrics, &about}, err);
    }
    return elm_comm_agree_all(run->comm, status, err);
}
