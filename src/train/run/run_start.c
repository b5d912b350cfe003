/* The state that a run begins with: a checkpoint of its own, another run's weights, or none. */
#include <stdio.h>
#include <string.h>

#include "checkpoint/broadcast.h"
#include "checkpoint/safetensors/safetensors.h"
#include "elmpi/memory.h"
#include "nn/weights.h"
#include "train/run/run.h"

/* Rank 0: what to go on from; NULL: nothing yet. */
static int find_newest(elm_run *run, elm_checkpoint **newest, char *name, int capacity,
                       elm_error *err)
{
    if (!run->request->resume)
        return 0;
    if (elm_run_folder_newest(run->folder, run->log, newest, name, capacity, err))
        return -1;
    if (!*newest)
        elm_log_info(run->log, "No checkpoint in %s yet: starting from the beginning.",
                     elm_run_folder_path(run->folder));
    return 0;
}

static int restore(elm_run *run, const elm_checkpoint *checkpoint, elm_error *err)
{
    if (elm_dataset_fingerprint_check(&run->data, run->train, checkpoint, run->options.data.store,
                                      err) ||
        elm_trainer_import(run->trainer, checkpoint, err))
        return -1;
    run->step = checkpoint->step;
    run->unsaved = false;
    if (run->step > 0)
        run->last_lr = elm_schedule_lr(&run->options.optim, run->step - 1, run->steps_per_epoch);
    elm_epoch_sums_import(&run->sums, checkpoint);
    return elm_history_from_checkpoint(&run->history, checkpoint, err);
}

/* What else may change the last bits. */
static void say_differences(const elm_run *run, const elm_checkpoint *checkpoint)
{
    char made_with[1024];
    const int size = elm_comm_size(run->comm);
    elm_run_describe(run, made_with, sizeof made_with);
    if (checkpoint->ranks != size)
        elm_log_info(run->log,
                     "Resuming with %d rank%s what %d rank%s began: same order of images, results "
                     "equal within rounding.",
                     size, size == 1 ? "" : "s", checkpoint->ranks,
                     checkpoint->ranks == 1 ? "" : "s");
    if (*checkpoint->made_with && strcmp(checkpoint->made_with, made_with))
        elm_log_info(run->log,
                     "Resuming on %s what was computed on %s: results equal within rounding.",
                     made_with, checkpoint->made_with);
}

/* Goes on from the checkpoint that find_start_all found. */
static int resume_all(elm_run *run, elm_error *err)
{
    const elm_checkpoint *checkpoint = run->start;
    int status = elm_comm_agree_all(run->comm, restore(run, checkpoint, err), err);
    if (!status)
        status = elm_run_restore_bank_all(run, checkpoint, run->start_name, err);
    if (status)
        return -1;
    elm_run_stop_early(run);
    say_differences(run, checkpoint);
    elm_log_info(run->log, "Resuming from %s (epoch %.2f, step %lld).", run->start_name,
                 checkpoint->epoch, (long long)checkpoint->step);
    elm_checkpoint_free(run->start);
    run->start = NULL;
    return 0;
}

/* Begins with the weights of another run, or of another program. */
static int init_all(elm_run *run, const char *path, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    int status = 0;
    if (elm_comm_rank(run->comm) == 0 && (status = elm_safetensors_check_other(path, err)) == 0)
        status = (elm_safetensors_is_named(path) ? elm_safetensors_read
                                                 : elm_checkpoint_read)(path, &checkpoint, err);
    status = elm_comm_agree_all(run->comm, status, err);
    if (!status)
        status = elm_checkpoint_broadcast_all(run->comm, &checkpoint, err);
    if (!status)
        status =
            elm_comm_agree_all(run->comm,
                               elm_weights_load_pretrained(
                                   elm_trainer_net(run->trainer), checkpoint->tensors,
                                   checkpoint->tensor_count, run->options.run.new_classifier, err),
                               err);
    if (!status)
        elm_log_info(run->log,
                     elm_safetensors_is_named(path) ? "Weights from %s."
                                                    : "Weights from %s (epoch %.2f, step %lld).",
                     path, checkpoint->epoch, (long long)checkpoint->step);
    elm_checkpoint_free(checkpoint);
    return status;
}

int elm_run_find_start_all(elm_run *run, elm_error *err)
{
    const bool first = elm_comm_rank(run->comm) == 0;
    if (elm_comm_agree_all(
            run->comm,
            first ? find_newest(run, &run->start, run->start_name, sizeof run->start_name, err) : 0,
            err))
        return -1;
    bool found = run->start != NULL;
    elm_comm_broadcast_all(run->comm, &found, sizeof found);
    if (!found)
        return 0;
    if (elm_checkpoint_broadcast_all(run->comm, &run->start, err))
        return -1;
    return elm_comm_agree_all(run->comm, elm_run_continue_job(run, run->start, err), err);
}

int elm_run_set_start_all(elm_run *run, elm_error *err)
{
    if (run->start) {
        snprintf(run->resumed_from, sizeof run->resumed_from, "%s", run->start_name);
        return resume_all(run, err);
    }
    if (elm_comm_agree_all(run->comm, elm_run_check_start(run, err), err))
        return -1;
    return *run->options.run.init ? init_all(run, run->options.run.init, err) : 0;
}
