#include <stddef.h>
#include <string.h>

#include "comm/binding.h"
#include "elmpi/net.h"
#include "elmpi/run.h"
#include "train/nonfinite_policy.h"

/* A folder's name, in which nothing is expanded. */
static int check_name(const char *value, elm_error *err)
{
    return *value != '~' && !strchr(value, '$')
               ? 0
               : elm_error_set(err, ELM_EXIT_USAGE,
                               "%.200s is no name for a run (run.name): leave $ and ~ out, "
                               "--run-dir names any folder",
                               value);
}

const elm_option elm_run_option_rows[] = {
    {"run.name", ELM_OPTION_TEXT, offsetof(elm_run_options, name), elm_option_stem, 0, 0, NULL,
     check_name, NULL, "name of the run: its folder is runs/<name>"},
    {"run.seed", ELM_OPTION_INT, offsetof(elm_run_options, seed), "0", 0, 4294967295.0, NULL, NULL,
     NULL, "seed of initial weights, order of images and augmentation"},
    {"run.precision", ELM_OPTION_CHOICE, offsetof(elm_run_options, precision), "auto", 0, 0,
     "auto|fp32|bf16", NULL, NULL,
     "number format of activations and their gradients; weights, statistics, embeddings, losses "
     "and all sums are fp32 in either; auto: "
     "bf16 where the CPUs of all ranks multiply it in hardware (AVX512-BF16, AMX) and were "
     "measured to be quicker with it, else fp32"},
    {"run.layout", ELM_OPTION_CHOICE, offsetof(elm_run_options, layout), "auto", 0, 0,
     "auto|blocked|nhwc|nchw", NULL, NULL,
     "order of activations in memory: blocked (8 or 16 channels together), nhwc (channels last), "
     "nchw (all that OpenBLAS has); auto: the "
     "quickest as measured when the run begins. A resolved job names what was chosen"},
    {"run.backend", ELM_OPTION_TEXT, offsetof(elm_run_options, backend), "auto", 0, 0, NULL,
     elm_net_check_backend, NULL,
     "library that computes the convolutions: onednn, openblas, or auto (the quicker as "
     "measured)"},
    {"run.threads", ELM_OPTION_INT, offsetof(elm_run_options, threads), "0", 0, 1024, NULL, NULL,
     NULL,
     "threads of each rank; 0: OMP_NUM_THREADS, else the cores of the rank's affinity mask, "
     "divided among ranks that share it"},
    {"run.binding", ELM_OPTION_CHOICE, offsetof(elm_run_options, binding), "auto", 0, 0,
     ELM_BINDING_CHOICES, NULL, NULL,
     "which cores a rank runs on; auto: ranks that the launcher pinned to fewer cores than a fair "
     "share of the node (Open MPI: to one), or "
     "that overlap, divide the cores which the launcher itself may use, never beyond what taskset, "
     "a cgroup or Slurm allows; launcher: as "
     "the launcher bound them"},
    {"run.evaluate_every_epochs", ELM_OPTION_REAL, offsetof(elm_run_options, evaluate_every_epochs),
     "0", 0, 1e9, NULL, NULL, NULL,
     "evaluate on the test set and the held-out images every so many epochs; 0: only at the end"},
    {"run.init", ELM_OPTION_PATH, offsetof(elm_run_options, init), "", 0, 0, NULL, NULL, NULL,
     "begin with the weights and running statistics of this checkpoint, such as a first stage's, "
     "or of this .safetensors file with "
     "torchvision's names (--init on the command line goes before)"},
    {"run.new_classifier", ELM_OPTION_BOOL, offsetof(elm_run_options, new_classifier), "false", 0,
     0, NULL, NULL, NULL,
     "take all weights of run.init but the last layer's, which is initialized anew: as cRT "
     "does, or for a data set with other classes"},
    {"run.tensorboard", ELM_OPTION_BOOL, offsetof(elm_run_options, tensorboard), "false", 0, 0,
     NULL, NULL, NULL,
     "write figures of every step and epoch for TensorBoard into the run folder "
     "(events.out.tfevents.*)"},
    {"run.stall_timeout", ELM_OPTION_REAL, offsetof(elm_run_options, stall_timeout), "600", 0, 1e9,
     NULL, NULL, NULL,
     "seconds without progress of any rank after which the job reports the last known phase of "
     "every rank and ends, instead of waiting for a rank that is stopped or cut off; 0: never"},
    {"run.nonfinite", ELM_OPTION_TEXT, offsetof(elm_run_options, nonfinite), "stop", 0, 0, NULL,
     elm_nonfinite_check, NULL,
     "what follows when loss or gradient of a step is NaN or infinite: stop the run, or "
     "skip:<n>, discard the step (weights, momentum, running statistics and what losses learn "
     "stay as they were) and go on, but stop after more than n such steps in a row; a resumed "
     "run counts from 0. Either reports the first values that are not finite, and their images"},
    {0},
};

void elm_job_option_sets(elm_job_options *options, elm_option_set sets[ELM_JOB_SETS])
{
    const struct {
        const elm_option *rows;
        size_t offset;
    } rooms[ELM_JOB_SETS] = {
        {elm_run_option_rows, offsetof(elm_job_options, run)},
        {elm_data_option_rows, offsetof(elm_job_options, data)},
        {elm_model_option_rows, offsetof(elm_job_options, model)},
        {elm_loss_option_rows, offsetof(elm_job_options, loss)},
        {elm_optim_option_rows, offsetof(elm_job_options, optim)},
        {elm_checkpoint_option_rows, offsetof(elm_job_options, checkpoint)},
        {elm_comm_option_rows, offsetof(elm_job_options, comm)},
    };
    for (int i = 0; i < ELM_JOB_SETS; i++)
        sets[i] =
            (elm_option_set){rooms[i].rows, options ? (char *)options + rooms[i].offset : NULL};
}
