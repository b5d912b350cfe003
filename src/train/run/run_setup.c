/* What comes before the first step, in its order: the job, the folder, the data, the network,
 * and the state to begin with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/build_id.h"
#include "base/process/process.h"
#include "comm/binding.h"
#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "train/run/run.h"
#include "train/same_cpu.h"

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
    elm_watchdog_set_folder(elm_comm_watch(run->comm), path, number);
    return 0;
}

/* What the job leaves open of backend, layout and precision, unless a checkpoint has said it. */
static int choose_all(elm_run *run, elm_error *err)
{
    const elm_store_info *info = &run->train->info;
    /* the largest */
    const elm_partition share =
        elm_partition_of(elm_optim_microbatch(&run->options.optim), elm_comm_size(run->comm), 0);
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

static int create_loader(elm_run *run, elm_error *err)
{
    const int64_t epoch = run->step / run->steps_per_epoch,
                  index = run->step % run->steps_per_epoch;
    return elm_loader_create_training(
        &run->loader, run->train, &run->options.data, (uint64_t)run->options.run.seed,
        run->options.optim.batch, elm_optim_microbatch(&run->options.optim),
        elm_comm_rank(run->comm), elm_comm_size(run->comm), epoch, index, err);
}

static int start_tensorboard(elm_run *run, elm_error *err)
{
    if (!run->options.run.tensorboard || !run->folder)
        return 0;
    if (elm_tensorboard_start(&run->tensorboard, elm_run_folder_path(run->folder),
                              elm_run_folder_number(run->folder), run->log,
                              run->options.optim.clip_norm > 0, err))
        return -1;
    if (run->request->resume)
        elm_tensorboard_resume(&run->tensorboard, &run->history, run->step);
    return 0;
}

/* Sets up the run's outputs and its watchdog. */
static void set_observers(elm_run *run)
{
    run->progress = (elm_progress){.log = run->log,
                                   .on_terminal = run->request->progress && !run->log->quiet,
                                   .epochs = run->options.optim.epochs,
                                   .total_steps = run->total_steps,
                                   .first_step = run->step,
                                   .logit = run->options.loss.logit,
                                   .embed = run->options.loss.embed,
                                   .test_split = run->test_split};
    run->nonfinite = (elm_nonfinite){.rule = run->options.run.nonfinite,
                                     .comm = run->comm,
                                     .trainer = run->trainer,
                                     .train = run->train,
                                     .folder = run->folder,
                                     .log = run->log};
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
    if (!status && run->folder)
        status = elm_run_settle_best(run, err);
    if (elm_comm_agree_all(run->comm, status, err))
        return -1;
    run->set_up = true;
    set_observers(run);
    if (elm_comm_agree_all(run->comm, start_tensorboard(run, err), err))
        return -1;
    /* Rows of epochs that were lost with their run go at once. */
    return run->request->resume ? elm_run_save_metrics_all(run, err) : 0;
}

/* A phase of the start begins, on all ranks. */
static int enter_all(elm_run *run, const char *phase, elm_error *err)
{
    return elm_comm_agree_all(run->comm, elm_watchdog_enter(elm_comm_watch(run->comm), phase, err),
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

/* The same job on all ranks, and from here on their watch has its timeout. */
static int load_job_all(elm_run *run, elm_error *err)
{
    elm_watchdog *watch = elm_comm_watch(run->comm);
    int status = elm_watchdog_enter_with(watch, "job", run->request->job_file, err);
    if (!status)
        status = elm_run_load_job(run, err);
    if (elm_comm_agree_all(run->comm, status, err) ||
        elm_comm_same_all(run->comm, "the job", elm_job_text(run->job), err))
        return -1;
    return elm_comm_agree_all(
        run->comm, watch ? elm_watchdog_guard(watch, run->options.run.stall_timeout, err) : 0, err);
}

int elm_run_setup_all(elm_run *run, elm_error *err)
{
    run->unsaved = true;
    if (elm_cpu_same_all(run->comm, err) || same_program_all(run, err) || load_job_all(run, err) ||
        enter_all(run, "start", err) || open_folder_all(run, err))
        return -1;
    elm_binding_apply_all(run->comm, run->options.run.binding, (int)run->options.run.threads,
                          run->binding);
    if (enter_all(run, "data", err) || elm_run_load_data_all(run, err) ||
        enter_all(run, "network", err) || elm_run_find_start_all(run, err) ||
        choose_all(run, err) || create_trainer_all(run, err) || same_libraries_all(run, err) ||
        enter_all(run, "restore", err) || elm_run_set_start_all(run, err) ||
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
    elm_tensorboard_end(&run->tensorboard);
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
