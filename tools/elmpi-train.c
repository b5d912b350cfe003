/* elmpi-train: trains a network as a job file says. Start it under mpirun or srun for more than one rank. */
#include <signal.h>
#include <stdio.h>

#include "command.h"
#include "elmpi/comm.h"
#include "elmpi/job.h"
#include "elmpi/loss.h"
#include "elmpi/run.h"
#include "elmpi/terminal.h"

static const char program[] = "elmpi-train";

/* A signal handler can reach nothing but a global. */
static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int signal)
{
    (void)signal;
    stop_asked = 1;
}

/* Before MPI starts: a signal that comes early must not kill a rank while the others go on. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is to be an error like a full disk's */
}

static void print_losses(const char *title, bool (*about)(int i, elm_loss_about *about))
{
    elm_loss_about loss;
    printf("\n%s:\n", title);
    for (int i = 0; about(i, &loss); i++)
        printf("  %-18s %s\n", loss.name, loss.help);
}

static void print_options(void)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(NULL, sets);
    printf("Options of a job file, and of --set:\n");
    elm_option_print_help(sets, ELM_JOB_SETS);
    print_losses("Losses on the logits (loss.logit)", elm_loss_about_logit);
    print_losses("Terms on the embeddings (loss.embed)", elm_loss_about_embed);
    printf("\nUSR1 or TERM: the step ends, a checkpoint is written, exit status 75; --resume continues.\n"
           "Exit status: 0 success, 1 failure, 2 wrong command line or job file, 75 stopped on request.\n");
}

static elm_command_result parse(int argc, char **argv, bool quiet, elm_run_request *request, elm_text_list *overrides, elm_error *err)
{
    const elm_flag flags[] = {
        {"--set", ELM_FLAG_LIST, overrides, 0, 0, "KEY=VALUE", "override an option of the job file, e.g. --set optim.lr=0.1"},
        {"--resume", ELM_FLAG_SWITCH, &request->resume, 0, 0, NULL, "continue from the newest good checkpoint of the run folder"},
        {"--run-dir", ELM_FLAG_TEXT, &request->run_dir, 0, 0, "FOLDER", "run folder (default runs/<run.name>)"},
        {"--init", ELM_FLAG_TEXT, &request->init, 0, 0, "FILE", "begin with the weights of a checkpoint or a .safetensors file"},
        {"--max-steps", ELM_FLAG_INT, &request->max_steps, 0, 1e15, "N", "end after step N of the run; 0 writes the initial weights"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "JOB [--set KEY=VALUE]... [--resume]",
        .summary = "Trains a network on a long-tailed data set. JOB is a job file, or the name of one, such as cifar100-lt-elm, in the "
                   "working folder, in a folder of ELMPI_JOBS or among the installed jobs. Under mpirun the ranks share every batch; the "
                   "result does not depend on their number.",
        .flags = flags,
        .min_words = 1,
        .max_words = 1,
        .word_name = "a job file",
        .more_help = print_options,
        .quiet = quiet,
    };
    const elm_command_result result = elm_command_parse(&command, argc, argv, err);
    if (result == ELM_COMMAND_RUN)
        request->job_file = command.words[0];
    return result;
}

int main(int argc, char **argv)
{
    catch_signals();
    elm_comm *comm = NULL;
    elm_watch *watch = NULL;
    elm_error err = {0};
    elm_log log = {.program = program};
    if (elm_watch_create(&watch, program, &err) || elm_comm_start_all(&comm, &argc, &argv, &err)) {
        elm_log_error(&log, "%s", err.text);
        return err.code;
    }
    elm_comm_set_watch(comm, watch);
    const bool first = elm_comm_rank(comm) == 0;
    log.quiet = !first;
    elm_text_list overrides = {0};
    elm_run_request request = {.max_steps = -1, .progress = elm_terminal_watched(), .version = ELMPI_GIT, .stop = &stop_asked};
    int code = ELM_EXIT_SUCCESS;
    switch (parse(argc, argv, !first, &request, &overrides, &err)) {
    case ELM_COMMAND_RUN:
        request.overrides = overrides.item;
        request.override_count = overrides.count;
        if (elm_run_train_all(&request, comm, &log, &err))
            code = err.code;
        break;
    case ELM_COMMAND_ERROR:
        code = err.code;
        break;
    case ELM_COMMAND_DONE:
        break;
    }
    if (code == ELM_EXIT_STOPPED)
        elm_log_info(&log, "%s", err.text);
    else if (code && first)
        elm_log_error(&log, "%s", err.text);
    elm_watch_enter(watch, "finish", NULL);
    elm_comm_finish_all(comm);
    elm_watch_destroy(watch);
    return code;
}
