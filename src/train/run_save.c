/* What a run leaves behind: checkpoints, metrics.csv, evaluation.json. */
#include <stdio.h>

#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "train/run.h"

static int save(elm_run *run, elm_error *err)
{
    elm_progress_value progress[ELM_EPOCH_SUMS];
    elm_epoch_sums_export(&run->sums, progress);
    elm_checkpoint checkpoint = {
        .job = elm_job_text(run->job),
        .epoch = (double)run->step / (double)run->steps_per_epoch,
        .step = run->step,
        .seed = (uint64_t)run->options.run.seed,
        .ranks = elm_comm_size(run->comm),
        .git = run->request->version,
        .classes = run->train->info.classes,
        .class_names = (const char *const *)run->train->class_names,
        .class_count = run->train->class_count,
        .progress_count = ELM_EPOCH_SUMS,
        .progress = progress,
    };
    int status = elm_trainer_export(run->trainer, &checkpoint.tensors, &checkpoint.tensor_count, err);
    if (!status)
        status = elm_history_columns(&run->history, &checkpoint.history, &checkpoint.history_count, err);
    if (!status)
        status = elm_run_folder_save(run->folder, &checkpoint, run->options.checkpoint.keep, err);
    elm_history_columns_free(checkpoint.history, checkpoint.history_count);
    elm_free(checkpoint.tensors);
    return status;
}

int elm_run_save_all(elm_run *run, elm_error *err)
{
    const int status = elm_comm_agree_all(run->comm, run->folder ? save(run, err) : 0, err);
    run->last_save = elm_comm_seconds();
    return status;
}

int elm_run_save_metrics_all(elm_run *run, elm_error *err)
{
    int status = 0;
    if (run->folder) {
        char path[4096];
        snprintf(path, sizeof path, "%s/metrics.csv", elm_run_folder_path(run->folder));
        status = elm_history_write_csv(&run->history, path, err);
    }
    return elm_comm_agree_all(run->comm, status, err);
}

int elm_run_evaluate_all(elm_run *run, const elm_dataset *dataset, elm_metrics **metrics, elm_error *err)
{
    *metrics = NULL;
    if (!dataset)
        return 0;
    int64_t *confusion = NULL;
    if (elm_evaluation_confusion_all(elm_trainer_net(run->trainer), dataset, run->comm, &confusion, err))
        return -1;
    const int status = elm_metrics_create(metrics, confusion, dataset->info.classes, run->train->class_count, ELM_GROUPS_ELM, err);
    elm_free(confusion);
    return elm_comm_agree_all(run->comm, status, err);
}

int elm_run_report_all(elm_run *run, const elm_metrics *metrics, elm_error *err)
{
    int status = 0;
    if (run->folder) {
        char path[4096];
        snprintf(path, sizeof path, "%s/evaluation.json", elm_run_folder_path(run->folder));
        const elm_evaluation_about about = {
            .checkpoint = "checkpoint.h5",
            .classifier = "fc",
            .dataset = run->test->info.dataset,
            .split = "test",
            .class_names = (const char *const *)run->test->class_names,
            .train_count = run->train->class_count,
        };
        elm_evaluation_print(run->log, metrics, &about);
        status = elm_evaluation_write_json(path, metrics, &about, err);
    }
    return elm_comm_agree_all(run->comm, status, err);
}
