/* What a run logs before its first step. */
#include <stdio.h>
#include <string.h>

#include "base/cpu/cpu.h"
#include "base/cpu/threads.h"
#include "base/file/shared_memory.h"
#include "train/run/run.h"

/* Which cores the ranks have, and what is unwise about it. */
static void say_binding(const elm_run *run, int threads)
{
    const int allowed = elm_threads_allowed(), online = elm_threads_online(),
              ranks = elm_comm_local_size(run->comm);
    elm_log_info(run->log, "%s", run->binding);
    if (threads > allowed)
        elm_log_warn(run->log,
                     "%d threads of a rank share %d core%s: use fewer threads (run.threads, "
                     "OMP_NUM_THREADS) or fewer ranks",
                     threads, allowed, allowed > 1 ? "s" : "");
    else if (run->options.run.binding == ELM_BINDING_LAUNCHER && allowed < online &&
             allowed * ranks < online * elm_comm_core_sharers(run->comm))
        elm_log_info(run->log,
                     "hint: %d of this node's %d cores are idle: run.binding = auto would use them",
                     online - allowed * ranks / elm_comm_core_sharers(run->comm), online);
}

static void say_sampling(const elm_run *run)
{
    if (run->holdout)
        elm_log_info(run->log,
                     "%lld more images of the training set are held out (data.holdout = %s): not "
                     "trained on, not in the priors",
                     (long long)run->holdout->count, run->options.data.holdout);
    const char *sampler = run->options.data.sampler;
    if (!strncmp(sampler, "window:", 7))
        elm_log_info(run->log, "images are shuffled within a %s of the shards' order", sampler);
    else if (strcmp(sampler, "instance") && strcmp(sampler, "sequential"))
        elm_log_info(run->log, "sampler %s: an epoch is %lld draws, not every image once", sampler,
                     (long long)run->train->count);
}

/* Optimizer and regularization, as far as they are not the plain ones. */
static void say_recipe(const elm_run *run)
{
    static const char *const mixes[] = {"none", "mixup", "cutmix"};
    const elm_optim_options *optim = &run->options.optim;
    const elm_data_options *data = &run->options.data;
    if (strcmp(elm_optimizer_of(optim)->name, "sgd"))
        elm_log_info(run->log, "optimizer %s", elm_optimizer_of(optim)->name);
    if (data->mix != ELM_MIX_NONE)
        elm_log_info(run->log, "images of a batch are mixed: %s, lambda ~ Beta(%g, %g)%s",
                     mixes[data->mix], data->mix_alpha, data->mix_alpha,
                     data->mix_probability < 1 ? ", not in every batch" : "");
    if (optim->ema > 0)
        elm_log_info(run->log,
                     "a moving average of the weights remembers about %.4g epochs (optim.ema = %g)",
                     1 / (1 - optim->ema) / (double)run->steps_per_epoch, optim->ema);
}

/* From the set-up that the job declares, and what of the schedule a run that was made shorter
 * does not get to. */
static void say_differences(const elm_run *run)
{
    char beyond[512];
    const char *differences = elm_job_differences(run->job);
    elm_optim_beyond(&run->options.optim, beyond, sizeof beyond);
    if (differences)
        elm_log_info(run->log, "%s%s%s%s", differences, *beyond ? ", which puts " : "", beyond,
                     *beyond ? " beyond the run's end" : "");
    if (*beyond)
        elm_log_warn(run->log, "the run ends at epoch %g, before %s: scale them with optim.epochs",
                     run->options.optim.epochs, beyond);
}

/* "balanced test set", or what there is instead. */
static void describe_test(const elm_run *run, char *text, size_t size)
{
    const elm_dataset *set = run->test;
    bool balanced = true;
    snprintf(text, size, "no test set");
    for (int c = 1; set && c < set->info.classes; c++)
        balanced &= set->class_count[c] == set->class_count[0];
    if (set && balanced)
        snprintf(text, size, "balanced %s set", run->test_split);
    else if (set)
        snprintf(text, size, "%s set of %lld images, not balanced", run->test_split,
                 (long long)set->count);
}

/* Memory of this host that jobs which were killed have left. */
static void say_left_memory(const elm_run *run)
{
    char command[512];
    size_t bytes;
    const int left = elm_comm_rank(run->comm) == 0
                         ? elm_shared_memory_find_left("/dev/shm", command, sizeof command, &bytes)
                         : 0;
    if (left > 0)
        elm_log_info(run->log,
                     "hint: jobs that were killed have left %d segments, %.1f MB, in shared memory "
                     "that no process uses: %s",
                     left, 1e-6 * (double)bytes, command);
}

void elm_run_introduce(const elm_run *run)
{
    const elm_log *log = run->log;
    for (int i = 0; elm_job_note(run->job, i); i++)
        elm_log_info(log, "note: %s", elm_job_note(run->job, i));
    say_differences(run);
    char mpi[256], libraries[128], cpu[ELM_CPU_NAME_SIZE], test[120];
    elm_comm_describe(run->comm, mpi, sizeof mpi);
    elm_net_cpu(libraries, sizeof libraries);
    describe_test(run, test, sizeof test);
    elm_net *net = elm_trainer_net(run->trainer);
    const int threads = elm_run_threads(run);
    elm_log_info(log, "%s: %lld training images of %d classes (%s), %s", run->options.run.name,
                 (long long)run->train->count, run->train->info.classes, run->options.data.store,
                 test);
    elm_log_info(log, "%s, %lld parameters, %s; %d rank%s x %d thread%s; %s",
                 run->options.model.name, (long long)elm_net_view(net).size, elm_net_backend(net),
                 elm_comm_size(run->comm), elm_comm_size(run->comm) > 1 ? "s" : "", threads,
                 threads > 1 ? "s" : "", mpi);
    elm_log_info(log, "%s: kernels for %s, %s", elm_cpu_name(cpu), elm_isa_names[elm_cpu_isa()],
                 libraries);
    elm_log_info(log, "%g epochs of %lld steps of %lld images; loss %s%s%s",
                 run->options.optim.epochs, (long long)run->steps_per_epoch,
                 (long long)run->options.optim.batch, run->options.loss.logit,
                 strcmp(run->options.loss.embed, "none") ? " + " : "",
                 strcmp(run->options.loss.embed, "none") ? run->options.loss.embed : "");
    say_sampling(run);
    say_recipe(run);
    if (run->options.optim.accumulate > 1)
        elm_log_info(log,
                     "each global batch is computed in %lld parts of at most %lld images: the loss "
                     "is the mean over all of them, but "
                     "BatchNorm and the "
                     "pairs of embedding terms see one part at a time",
                     (long long)elm_optim_microbatches(&run->options.optim),
                     (long long)elm_optim_microbatch(&run->options.optim));
    say_binding(run, threads);
    say_left_memory(run);
}
