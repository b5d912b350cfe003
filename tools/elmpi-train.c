/* elmpi-train: trains a network as a job file says. Start it under mpirun or srun for more than
 * one rank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cpu/affinity.h"
#include "base/process/process.h"
#include "base/text/terminal.h"
#include "command.h"
#include "elmpi/job.h"
#include "elmpi/loss.h"
#include "elmpi/memory.h"
#include "elmpi/run.h"
#include "ranks.h"

static const char program[] = "elmpi-train";

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
    printf("\nUSR1, TERM, INT or HUP: the step ends, a checkpoint is written, exit status 75; "
           "--resume continues. Before training and at a\n"
           "second INT: the end at once, exit status 75. ELMPI_STALL_TIMEOUT: seconds that ranks "
           "wait for each other until the job is known.\n"
           "Exit status: 0 success, 1 failure, 2 wrong command line or job file, 75 stopped on "
           "request.\n");
}

/* What the command line asks for besides training. */
typedef struct train_command {
    elm_run_request request;
    elm_text_list overrides;
    bool print_job;
} train_command;

static elm_command_result parse(int argc, char **argv, bool quiet, train_command *train,
                                elm_error *err)
{
    static const elm_topic topics[] = {{"--list-jobs",
                                        "print the names of the jobs, with what each is, and exit",
                                        elm_job_print_list},
                                       {0}};
    elm_run_request *request = &train->request;
    const elm_flag flags[] = {
        {"--set", ELM_FLAG_LIST, &train->overrides, 0, 0, "KEY=VALUE",
         "override an option of the job file, e.g. --set optim.lr=0.1"},
        {"--resume", ELM_FLAG_SWITCH, &request->resume, 0, 0, NULL,
         "continue from the newest good checkpoint of the run folder"},
        {"--run-dir", ELM_FLAG_TEXT, &request->run_dir, 0, 0, "FOLDER",
         "run folder (default runs/<run.name>)"},
        {"--init", ELM_FLAG_TEXT, &request->init, 0, 0, "FILE",
         "begin with the weights of a checkpoint or a .safetensors file"},
        {"--max-steps", ELM_FLAG_INT, &request->max_steps, 0, 1e15, "N",
         "end after step N of the run; 0 writes the initial weights"},
        {"--print-job", ELM_FLAG_SWITCH, &train->print_job, 0, 0, NULL,
         "print the job with all its options and exit"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "JOB [--set KEY=VALUE]... [--resume]",
        .summary = "Trains a network on a long-tailed data set. JOB is a job file, or the name of "
                   "one, such as cifar100-lt-elm, in the "
                   "working folder, in a folder of ELMPI_JOBS or among the installed jobs "
                   "(--list-jobs). Under mpirun the ranks share "
                   "every batch; the "
                   "result does not depend on their number.",
        .flags = flags,
        .topics = topics,
        .min_words = 1,
        .max_words = 1,
        .word_name = "a job file",
        .more_help = print_options,
        .quiet = quiet,
    };
    const elm_command_result result = elm_command_parse(&command, argc, argv, err);
    if (result == ELM_COMMAND_RUN)
        request->job_file = command.words[0];
    request->overrides = train->overrides.item;
    request->override_count = train->overrides.count;
    return result;
}

static int load_job(const elm_run_request *request, elm_job_options *options, elm_job **job,
                    elm_error *err)
{
    elm_option_set sets[ELM_JOB_SETS];
    elm_job_option_sets(options, sets);
    return elm_job_load(job, request->job_file, request->overrides, request->override_count, sets,
                        ELM_JOB_SETS, err);
}

/* How long the job lets ranks wait for each other, before MPI can tell: what the command line
 * says, or the job file, if that is one that can be read twice. What is wrong with either is
 * said later. */
static double timeout_of(const elm_run_request *request, double otherwise)
{
    static const char key[] = "run.stall_timeout=";
    struct stat about;
    elm_job_options options;
    elm_job *job = NULL;
    elm_error ignored = {0};
    if (stat(request->job_file, &about) != 0 || S_ISREG(about.st_mode)) {
        if (load_job(request, &options, &job, &ignored) == 0)
            otherwise = options.run.stall_timeout;
        elm_job_destroy(job);
        return otherwise;
    }
    for (int i = 0; i < request->override_count; i++) {
        char *end = NULL;
        const char *text = request->overrides[i] + sizeof key - 1;
        const double value =
            strncmp(request->overrides[i], key, sizeof key - 1) == 0 ? strtod(text, &end) : -1;
        if (value >= 0 && value <= 1e9 && end > text)
            otherwise = value;
    }
    return otherwise;
}

/* The watchdog's timeout for the time until all ranks know the job. The environment's, if it
 * says one, goes before the job's. */
static int guard_start(const elm_program *self, int argc, char **argv, elm_error *err)
{
    train_command train = {0};
    elm_error ignored = {0};
    double timeout;
    if (elm_watchdog_timeout(-1, &timeout, err) != 0)
        return -1;
    /* parsing moves them */
    char **words = timeout < 0 ? elm_alloc((size_t)argc + 1, sizeof *words, NULL) : NULL;
    if (words == NULL)
        return 0;
    memcpy(words, argv, (size_t)argc * sizeof *words);
    int status = 0;
    if (parse(argc, words, true, &train, &ignored) == ELM_COMMAND_RUN) {
        status = elm_watchdog_enter_with(self->watch, "job", train.request.job_file, err);
        if (status == 0)
            status = elm_watchdog_guard(self->watch, timeout_of(&train.request, 600), err);
    }
    elm_free(words);
    return status;
}

/* The job as far as it is known before a run begins: what is "auto" stays so. */
static int print_job(const elm_run_request *request, bool first, elm_error *err)
{
    elm_job_options options;
    elm_job *job = NULL;
    if (load_job(request, &options, &job, err) != 0)
        return -1;
    if (first)
        printf("%s%s", elm_job_origin(job), elm_job_text(job));
    elm_job_destroy(job);
    return 0;
}

static int train_all(int argc, char **argv, elm_comm *comm, elm_log *log)
{
    elm_error err = {0};
    const bool first = elm_comm_rank(comm) == 0;
    train_command train = {.request = {.max_steps = -1,
                                       .progress = elm_terminal_watched(),
                                       .version = ELMPI_GIT,
                                       .stop = elm_process_stop()}};
    int code = ELM_EXIT_SUCCESS;
    log->quiet = !first;
    switch (parse(argc, argv, !first, &train, &err)) {
    case ELM_COMMAND_RUN:
        if (train.print_job ? print_job(&train.request, first, &err)
                            : elm_run_train_all(&train.request, comm, log, &err))
            code = err.code;
        break;
    case ELM_COMMAND_ERROR:
        code = err.code;
        break;
    case ELM_COMMAND_DONE:
        break;
    }
    if (code == ELM_EXIT_STOPPED)
        elm_log_info(log, "%s", err.text);
    else if (code && first)
        elm_log_error(log, "%s", err.text);
    return code;
}

int main(int argc, char **argv)
{
    elm_comm *comm = NULL;
    elm_program self;
    elm_error err = {0};
    elm_log log = {.program = program};
    int code;
    elm_affinity_reload(argv);
    if (elm_program_begin(&self, program, &err) || guard_start(&self, argc, argv, &err) ||
        elm_ranks_join_all(&self, &comm, &argc, &argv, &err)) {
        elm_log_error(&log, "%s", err.text);
        code = err.code;
    } else {
        code = train_all(argc, argv, comm, &log);
    }
    elm_ranks_leave_all(&self, comm);
    return elm_program_end(&self, code);
}
