/* What comes before the first step: the job, the data, the network, the folder, and the state to
 * begin with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/cpu/cpu.h"
#include "base/cpu/threads.h"
#include "base/process/process.h"
#include "checkpoint/broadcast.h"
#include "checkpoint/safetensors/safetensors.h"
#include "comm/binding.h"
#include "data/stage.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "nn/weights.h"
#include "train/metrics/tensorboard.h"
#include "train/run/run.h"
#include "train/same_cpu.h"

/* Bytes copied by this node's first rank; the run's first speaks for all. */
static void say_staged(void *context, int64_t done, int64_t total, double seconds)
{
    const elm_run *run = context;
    const double rate = seconds > 0 ? (double)done / seconds : 0;
    elm_watch_tick(elm_comm_watch(run->comm));
    if (run->request->progress && !run->log->quiet) {
        printf("\r\033[Kcopying shards to the node: %.1f of %.1f GB  %.0f MB/s  %.0f s left%s",
               1e-9 * (double)done, 1e-9 * (double)total, 1e-6 * rate,
               rate > 0 ? (double)(total - done) / rate : 0, done == total ? "\n" : "");
        fflush(stdout);
    } else if (done == total) {
        elm_log_info(run->log, "Shards copied to %s: %.1f GB in %.0f s.", run->options.data.stage,
                     1e-9 * (double)total, seconds);
    }
}

/* Shards to a disk of each node, once for all of its ranks. */
static int stage_all(elm_run *run, elm_error *err)
{
    elm_data_options *data = &run->options.data;
    if (data->stage[0] == '\0')
        return 0;
    const bool first = elm_comm_local_rank(run->comm) == 0;
    if (elm_comm_agree_all(run->comm, first ? elm_stage_shards(data, say_staged, run, err) : 0,
                           err))
        return -1;
    memcpy(data->shards, data->stage, sizeof data->shards);
    return 0;
}

/* A store from outside is read by a process of rank 0's first. */
static int check_store_all(elm_run *run, elm_error *err)
{
    const bool first = elm_comm_rank(run->comm) == 0;
    return elm_comm_agree_all(run->comm, first ? elm_store_check(run->options.data.store, err) : 0,
                              err);
}

static int load_data(elm_run *run, elm_error *err)
{
    run->options.data.run_epochs = run->options.optim.epochs;
    if (elm_dataset_load_job(&run->train, &run->options.data, "train", err))
        return -1;
    elm_store *store;
    if (elm_store_open(&store, run->options.data.store, err))
        return -1;
    run->test_split = elm_store_count(store, "test") > 0 ? "test" : "val";
    const bool has_test = elm_store_count(store, run->test_split) > 0;
    elm_store_close(store);
    if (elm_dataset_holds_out(&run->options.data) &&
        elm_dataset_load_job(&run->holdout, &run->options.data, "holdout", err))
        return -1;
    return has_test ? elm_dataset_load_job(&run->test, &run->options.data, run->test_split, err)
                    : 0;
}

static void say_content(const elm_run *run)
{
    if (run->train->pictures && !run->data.content[0])
        elm_log_info(run->log, "The store keeps no digests of its pictures: a sample of them is "
                               "compared when the run resumes (elmpi-prepare "
                               "--force makes a store that has them).");
    if (run->train->pictures && run->options.data.verify == ELM_VERIFY_ALL)
        elm_log_info(run->log,
                     "Comparing all pictures with the store's digests (data.verify = all).");
}

static int create_trainer_all(elm_run *run, elm_error *err)
{
    const elm_trainer_spec spec = {
        .model = &run->options.model,
        .loss = &run->options.loss,
        .optim = &run->options.optim,
        .comm = &run->options.comm,
        .data = &run->train->info,
        .counts = {run->train->info.classes, run->train->class_count, run->train->count},
        .labels = run->train->labels,
        .backend = run->options.run.backend,
        .precision = (elm_precision)run->options.run.precision,
        .layout = (elm_layout)run->options.run.layout,
        .seed = (uint64_t)run->options.run.seed,
        .min_images = elm_evaluation_batch(&run->train->info), /* of evaluation and class means */
    };
    run->steps_per_epoch =
        elm_loader_batches(run->train, run->options.optim.batch, run->options.data.drop_last);
    run->total_steps = elm_schedule_steps(&run->options.optim, run->steps_per_epoch);
    return elm_trainer_create_all(&run->trainer, &spec, run->comm, err);
}

static void folder_path(const elm_run *run, char *path, size_t size)
{
    if (run->request->run_dir)
        snprintf(path, size, "%s", run->request->run_dir);
    else
        snprintf(path, size, "runs/%.500s", run->options.run.name);
}

/* Rank 0: takes the folder. Nothing but the claim and the log is written yet. */
static int open_folder(elm_run *run, const char *path, elm_error *err)
{
    if (elm_run_folder_open_watched(&run->folder, path, run->request->resume,
                                    elm_comm_watch(run->comm), run->log, err))
        return -1;
    snprintf(run->log_path, sizeof run->log_path, "%s/log.txt", path);
    run->log_is_new = access(run->log_path, F_OK) != 0;
    if (run->log_is_new)
        elm_process_remove_at_end(run->log_path);
    run->log_file = fopen(run->log_path, "a");
    if (!run->log_file)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot write %s (%s): check permissions",
                             run->log_path, strerror(errno));
    setvbuf(run->log_file, NULL, _IOLBF, 0);
    run->log->file = run->log_file;
    return 0;
}

/* From here on others see each rank's heartbeat. */
static int open_folder_all(elm_run *run, elm_error *err)
{
    char path[4096];
    folder_path(run, path, sizeof path);
    const bool first = elm_comm_rank(run->comm) == 0;
    if (elm_comm_agree_all(run->comm, first ? open_folder(run, path, err) : 0, err))
        return -1;
    int number = run->folder ? elm_run_folder_number(run->folder) : 0;
    elm_comm_broadcast_all(run->comm, &number, sizeof number);
    elm_watch_set_folder(elm_comm_watch(run->comm), path, number);
    return 0;
}

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
    if (elm_data_identity_check(&run->data, run->train, checkpoint, run->options.data.store, err) ||
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
        status = elm_checkpoint_share_all(run->comm, &checkpoint, err);
    if (!status)
        status = elm_comm_agree_all(run->comm,
                                    elm_weights_start(elm_trainer_net(run->trainer),
                                                      checkpoint->tensors, checkpoint->tensor_count,
                                                      run->options.run.new_classifier, err),
                                    err);
    if (!status)
        elm_log_info(run->log,
                     elm_safetensors_is_named(path) ? "Weights from %s."
                                                    : "Weights from %s (epoch %.2f, step %lld).",
                     path, checkpoint->epoch, (long long)checkpoint->step);
    elm_checkpoint_free(checkpoint);
    return status;
}

/* What to go on from, rank 0's on all ranks, and its job: the network is made as it was. */
static int find_start_all(elm_run *run, elm_error *err)
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
    if (elm_checkpoint_share_all(run->comm, &run->start, err))
        return -1;
    return elm_comm_agree_all(run->comm, elm_run_continue_job(run, run->start, err), err);
}

/* What the job leaves open of backend, layout and precision, unless a checkpoint has said it. */
static int choose_all(elm_run *run, elm_error *err)
{
    const elm_store_info *info = &run->train->info;
    /* the largest */
    const elm_share share =
        elm_share_of(elm_optim_part(&run->options.optim), elm_comm_size(run->comm), 0);
    const elm_net_spec spec = {.model = &run->options.model,
                               .channels = info->channels,
                               .height = info->height,
                               .width = info->width,
                               .features = info->features,
                               .classes = info->classes,
                               .max_images = share.local,
                               .max_batch = share.global,
                               .ranks = share.size};
    elm_candidate chosen;
    if (run->start)
        return 0;
    if (elm_run_choose_all(run->comm, &run->asked, &spec, run->log, &chosen, err))
        return -1;
    return elm_comm_agree_all(run->comm, elm_run_settle_job(run, &chosen, err), err);
}

static int set_start_all(elm_run *run, elm_error *err)
{
    if (run->start) {
        snprintf(run->resumed_from, sizeof run->resumed_from, "%s", run->start_name);
        return resume_all(run, err);
    }
    if (elm_comm_agree_all(run->comm, elm_run_check_start(run, err), err))
        return -1;
    return *run->options.run.init ? init_all(run, run->options.run.init, err) : 0;
}

static int create_loader(elm_run *run, elm_error *err)
{
    const int64_t epoch = run->step / run->steps_per_epoch,
                  index = run->step % run->steps_per_epoch;
    return elm_loader_create_training(&run->loader, run->train, &run->options.data,
                                      (uint64_t)run->options.run.seed, run->options.optim.batch,
                                      elm_optim_part(&run->options.optim), elm_comm_rank(run->comm),
                                      elm_comm_size(run->comm), epoch, index, err);
}

/* The last thing, when nothing can refuse this start any more: what the folder says becomes this
 * run's. */
static int take_over_all(elm_run *run, elm_error *err)
{
    int status = run->folder ? elm_run_save_job(run, err) : 0;
    if (!status && run->folder) {
        elm_process_keep(run->log_path);
        status = elm_run_folder_settle(run->folder, *run->resumed_from ? run->resumed_from : NULL,
                                       run->options.checkpoint.keep, err);
    }
    if (elm_comm_agree_all(run->comm, status, err))
        return -1;
    run->set_up = true;
    if (elm_comm_agree_all(run->comm, elm_tensorboard_start(run, err), err))
        return -1;
    /* Rows of epochs that were lost with their run go at once. */
    return run->request->resume ? elm_run_save_metrics_all(run, err) : 0;
}

/* A phase of the start begins, on all ranks. */
static int enter_all(elm_run *run, const char *phase, elm_error *err)
{
    return elm_comm_agree_all(run->comm, elm_watch_enter(elm_comm_watch(run->comm), phase, err),
                              err);
}

/* Ranks of other builds may compute, or communicate, in another way. */
static int same_program_all(elm_run *run, elm_error *err)
{
    char build[64], text[512];
    const elm_run_request *request = run->request;
    elm_build_id(build, sizeof build);
    snprintf(text, sizeof text, "version %s\nbuild %s\n", request->version, build);
    if (elm_comm_same_all(run->comm, "the program", text, err))
        return -1;
    snprintf(text, sizeof text, "resume %d\nmax-steps %lld\ninit %.400s\n", request->resume,
             (long long)request->max_steps, request->init ? request->init : "");
    return elm_comm_same_all(run->comm, "the command line", text, err);
}

static int same_libraries_all(elm_run *run, elm_error *err)
{
    char network[512], mpi[256], hdf5[64], text[1024];
    elm_net_describe(elm_trainer_net(run->trainer), network, sizeof network);
    elm_comm_describe(run->comm, mpi, sizeof mpi);
    elm_checkpoint_library(hdf5, sizeof hdf5);
    snprintf(text, sizeof text, "%s\n%s\n%s\n", network, mpi, hdf5);
    return elm_comm_same_all(run->comm, "a library", text, err);
}

/* The same job on all ranks, and from here on their watch has its patience. */
static int load_job_all(elm_run *run, elm_error *err)
{
    elm_watch *watch = elm_comm_watch(run->comm);
    int status = elm_watch_enter_with(watch, "job", run->request->job_file, err);
    if (!status)
        status = elm_run_load_job(run, err);
    if (elm_comm_agree_all(run->comm, status, err) ||
        elm_comm_same_all(run->comm, "the job", elm_job_text(run->job), err))
        return -1;
    return elm_comm_agree_all(
        run->comm, watch ? elm_watch_guard(watch, run->options.run.stall_timeout, err) : 0, err);
}

int elm_run_setup_all(elm_run *run, elm_error *err)
{
    run->unsaved = true;
    if (elm_cpu_same_all(run->comm, err) || same_program_all(run, err) || load_job_all(run, err) ||
        enter_all(run, "start", err) || open_folder_all(run, err))
        return -1;
    elm_binding_apply_all(run->comm, run->options.run.binding, (int)run->options.run.threads,
                          run->binding);
    if (enter_all(run, "data", err) || check_store_all(run, err) || stage_all(run, err) ||
        elm_comm_agree_all(run->comm, load_data(run, err), err))
        return -1;
    /* as in earlier checkpoints */
    const elm_dataset *const tested = strcmp(run->test_split, "test") ? NULL : run->test;
    run->data = elm_data_identity_of(run->train, tested);
    say_content(run);
    if (elm_data_identity_read_all(&run->data, run->train, tested, run->comm, err) ||
        elm_data_identity_same_all(&run->data, run->options.data.store, run->comm, err) ||
        enter_all(run, "network", err) || find_start_all(run, err) || choose_all(run, err) ||
        create_trainer_all(run, err) || same_libraries_all(run, err) ||
        enter_all(run, "restore", err) || set_start_all(run, err) ||
        elm_comm_agree_all(run->comm, create_loader(run, err), err))
        return -1;
    return take_over_all(run, err);
}

/* A start that failed leaves the folder as it was: the corrected command is not to be refused
 * because of it. */
static void leave_folder(elm_run *run)
{
    if (run->folder && !run->set_up && run->log_is_new)
        unlink(run->log_path);
    elm_process_keep(run->log_path);
    if (run->set_up)
        elm_run_folder_close(run->folder);
    else
        elm_run_folder_abandon(run->folder);
}

void elm_run_release(elm_run *run)
{
    elm_tensorboard_end(run);
    elm_loader_destroy(run->loader);
    elm_checkpoint_free(run->start);
    elm_trainer_destroy(run->trainer);
    elm_dataset_destroy(run->train);
    elm_dataset_destroy(run->test);
    elm_dataset_destroy(run->holdout);
    elm_history_free(&run->history);
    elm_job_destroy(run->job);
    run->log->file = NULL;
    if (run->log_file)
        fclose(run->log_file);
    leave_folder(run);
}
