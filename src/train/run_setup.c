/* What comes before the first step: the job, the data, the network, the folder, and the state to begin with. */
#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/evaluation.h"
#include "elmpi/memory.h"
#include "elmpi/threads.h"
#include "elmpi/weights.h"
#include "train/run.h"

/* What a resumed run may change: how long and where, not what it computes. */
static const char *const may_change[] = {"optim.epochs",
                                         "checkpoint.",
                                         "data.store",
                                         "data.shards",
                                         "data.threads",
                                         "data.unreadable",
                                         "run.name",
                                         "run.init",
                                         "run.evaluate_every_epochs",
                                         NULL};

int elm_run_threads(const elm_run *run)
{
    return elm_threads_resolve((int)run->options.run.threads, elm_comm_local_size(run->comm));
}

/* The checkpoint to take the weights from; empty: none. */
static const char *init_of(const elm_run *run)
{
    return run->request->init ? run->request->init : run->options.run.init;
}

enum { AUTOS = 2 };

/* What "auto" stands for is decided once and written down, so that a resume and an evaluation compute the same. Returns how many of
 * `overrides` [AUTOS] say so. */
static int resolve_autos(const elm_job_options *options, const char **overrides)
{
    int count = 0;
    if (options->run.precision == 0)
        overrides[count++] = "run.precision=fp32";
    if (options->model.head == ELM_HEAD_AUTO)
        overrides[count++] =
            elm_trainer_head(&options->model, &options->loss) == ELM_HEAD_COSINE ? "model.head=cosine" : "model.head=linear";
    return count;
}

static int load_job(elm_run *run, elm_error *err)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(&run->options, sets);
    const elm_run_request *request = run->request;
    const char *overrides[ELM_REALS_MAX * 32];
    int count = 0;
    for (; count < request->override_count && count < (int)(sizeof overrides / sizeof *overrides) - AUTOS; count++)
        overrides[count] = request->overrides[count];
    if (elm_job_load(&run->job, request->job_file, overrides, count, sets, ELM_JOB_SETS, err))
        return -1;
    const int given = count;
    count += resolve_autos(&run->options, overrides + count);
    if (count > given) {
        elm_job_destroy(run->job);
        run->job = NULL;
        if (elm_job_load(&run->job, request->job_file, overrides, count, sets, ELM_JOB_SETS, err))
            return -1;
    }
    if (run->options.model.train != ELM_TRAIN_ALL && !*init_of(run))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "parts of the network would keep their first, random values (model.train): name the checkpoint of a first stage "
            "with run.init or --init");
    const int64_t part = elm_optim_part(&run->options.optim);
    if (part < elm_comm_size(run->comm))
        return elm_error_set(
            err, ELM_EXIT_USAGE,
            "%lld images at a time are fewer than the %d ranks (optim.batch / optim.accumulate): use fewer ranks, a larger "
            "batch or fewer parts",
            (long long)part, elm_comm_size(run->comm));
    return 0;
}

static int load_data(elm_run *run, elm_error *err)
{
    if (elm_dataset_load_job(&run->train, &run->options.data, "train", err))
        return -1;
    elm_store *store;
    if (elm_store_open(&store, run->options.data.store, err))
        return -1;
    const bool has_test = elm_store_count(store, "test") > 0;
    elm_store_close(store);
    return has_test ? elm_dataset_load_job(&run->test, &run->options.data, "test", err) : 0;
}

static int create_trainer_all(elm_run *run, elm_error *err)
{
    const elm_trainer_spec spec = {
        .model = &run->options.model,
        .loss = &run->options.loss,
        .optim = &run->options.optim,
        .data = &run->train->info,
        .counts = {run->train->info.classes, run->train->class_count, run->train->count},
        .backend = run->options.run.backend,
        .seed = (uint64_t)run->options.run.seed,
        .min_images = elm_evaluation_batch(&run->train->info), /* of evaluation and class means */
    };
    run->steps_per_epoch = elm_loader_batches(run->train, run->options.optim.batch);
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

static int write_job(const elm_run *run, elm_error *err)
{
    char path[4096], temporary[4200];
    snprintf(path, sizeof path, "%s/job.ini", elm_run_folder_path(run->folder));
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    FILE *file = fopen(temporary, "w");
    const bool written = file && fputs(elm_job_text(run->job), file) >= 0;
    if ((file && fclose(file)) || !written || rename(temporary, path)) {
        elm_error_set(err, ELM_EXIT_FAILURE, "cannot write %s (%s): check space and permissions", path, strerror(errno));
        remove(temporary);
        return -1;
    }
    return 0;
}

/* Rank 0: the newest good checkpoint's path, empty if there is none. */
static int find_newest(elm_run *run, char *path, size_t size, elm_error *err)
{
    elm_checkpoint *newest = NULL;
    char name[256];
    *path = 0;
    if (elm_run_folder_newest(run->folder, run->log, &newest, name, sizeof name, err))
        return -1;
    int status = 0;
    if (newest) {
        snprintf(path, size, "%s/%s", elm_run_folder_path(run->folder), name);
        status = elm_job_compare(newest->job, elm_job_text(run->job), may_change, err);
        if (!status && newest->ranks != elm_comm_size(run->comm))
            elm_log_info(run->log, "Resuming with %d ranks what %d ranks began: same order of images, results equal within rounding.",
                         elm_comm_size(run->comm), newest->ranks);
    }
    elm_checkpoint_free(newest);
    return status;
}

/* Rank 0: takes the folder and finds what to begin with. */
static int open_folder(elm_run *run, char *start, size_t size, elm_error *err)
{
    char path[4096];
    folder_path(run, path, sizeof path);
    if (elm_run_folder_open(&run->folder, path, run->request->resume, err))
        return -1;
    char log_path[4200];
    snprintf(log_path, sizeof log_path, "%s/log.txt", path);
    run->log_file = fopen(log_path, "a");
    if (!run->log_file)
        return elm_error_set(err, ELM_EXIT_FAILURE, "cannot write %s (%s): check permissions", log_path, strerror(errno));
    setvbuf(run->log_file, NULL, _IOLBF, 0);
    run->log->file = run->log_file;
    *start = 0;
    if (run->request->resume && find_newest(run, start, size, err))
        return -1;
    if (run->request->resume && !*start)
        elm_log_info(run->log, "No checkpoint in %s yet: starting from the beginning.", path);
    return write_job(run, err);
}

static int restore(elm_run *run, const elm_checkpoint *checkpoint, bool weights_only, elm_error *err)
{
    if (weights_only)
        return elm_weights_start(elm_trainer_net(run->trainer), checkpoint->tensors, checkpoint->tensor_count,
                                 run->options.run.new_classifier, err);
    if (elm_trainer_import(run->trainer, checkpoint, err))
        return -1;
    run->step = checkpoint->step;
    elm_epoch_sums_import(&run->sums, checkpoint);
    return elm_history_from_checkpoint(&run->history, checkpoint, err);
}

static int load_start_all(elm_run *run, const char *path, bool weights_only, elm_error *err)
{
    elm_checkpoint *checkpoint = NULL;
    if (elm_checkpoint_read_all(run->comm, path, &checkpoint, err))
        return -1;
    const int status = elm_comm_agree_all(run->comm, restore(run, checkpoint, weights_only, err), err);
    if (!status)
        elm_log_info(run->log, weights_only ? "Weights from %s." : "Resuming from %s (epoch %.2f, step %lld).", path, checkpoint->epoch,
                     (long long)checkpoint->step);
    elm_checkpoint_free(checkpoint);
    return status;
}

static int set_start_all(elm_run *run, elm_error *err)
{
    char start[4500] = "";
    const bool first = elm_comm_rank(run->comm) == 0;
    if (elm_comm_agree_all(run->comm, first ? open_folder(run, start, sizeof start, err) : 0, err))
        return -1;
    elm_comm_broadcast_all(run->comm, start, sizeof start);
    if (*start)
        return load_start_all(run, start, false, err);
    return *init_of(run) ? load_start_all(run, init_of(run), true, err) : 0;
}

int elm_run_setup_all(elm_run *run, elm_error *err)
{
    if (elm_comm_agree_all(run->comm, load_job(run, err), err))
        return -1;
    const char *text = elm_job_text(run->job);
    if (elm_comm_same_all(run->comm, "the job file", text, strlen(text), err))
        return -1;
    omp_set_num_threads(elm_run_threads(run));
    if (elm_comm_agree_all(run->comm, load_data(run, err), err) || create_trainer_all(run, err) || set_start_all(run, err))
        return -1;
    const int64_t epoch = run->step / run->steps_per_epoch, index = run->step % run->steps_per_epoch;
    const int status = elm_loader_create_training(&run->loader, run->train, &run->options.data, (uint64_t)run->options.run.seed,
                                                  run->options.optim.batch, elm_optim_part(&run->options.optim), elm_comm_rank(run->comm),
                                                  elm_comm_size(run->comm), epoch, index, err);
    return elm_comm_agree_all(run->comm, status, err);
}

void elm_run_release(elm_run *run)
{
    elm_loader_destroy(run->loader);
    elm_trainer_destroy(run->trainer);
    elm_dataset_destroy(run->train);
    elm_dataset_destroy(run->test);
    elm_history_free(&run->history);
    elm_run_folder_close(run->folder);
    elm_job_destroy(run->job);
    run->log->file = NULL;
    if (run->log_file)
        fclose(run->log_file);
}
