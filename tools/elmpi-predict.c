/* elmpi-predict: the classes of new images. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/broadcast.h"
#include "comm/binding.h"
#include "command.h"
#include "elmpi/checkpoint.h"
#include "elmpi/comm.h"
#include "elmpi/evaluation.h"
#include "elmpi/log.h"
#include "elmpi/memory.h"
#include "elmpi/net.h"
#include "elmpi/output.h"
#include "elmpi/predict.h"
#include "elmpi/run.h"
#include "eval/network_input.h"
#include "eval/prior.h"
#include "newest.h"
#include "nn/weights.h"
#include "ranks.h"
#include "train/checkpoint_job.h"
#include "train/same_cpu.h"

static const char program[] = "elmpi-predict";

/* --prior: what is taken out of the logits. */
static const char *const priors[] = {"plain", "posthoc-la"};
enum { PRIORS = sizeof priors / sizeof *priors, PRIOR_PLAIN = 0, INPUTS_MAX = 1 << 20 };

/* The command line. */
typedef struct command_line {
    const char *checkpoint;
    const char *const *inputs;
    int input_count, prior;
    int64_t top, threads;
    double tau; /* negative: not given */
    const char *out, *prior_name, *embeddings, *store, *weights;
    bool json, strict, quiet;
} command_line;

/* What is loaded for it. */
typedef struct predictor {
    elm_checkpoint *checkpoint;
    elm_job_options options; /* of the checkpoint's job */
    elm_checkpoint_input input;
    elm_candidate choice;
    elm_net *net;
    double *shift; /* or NULL */
} predictor;

/* Whether two names are those of one file, which need not exist: then of one name in one folder. */
static bool is_same_file(const char *a, const char *b)
{
    const char *const names[] = {a, b};
    const char *bases[2];
    struct stat files[2], folders[2];
    bool exist = true, known = true;
    for (int i = 0; i < 2; i++) {
        char folder[4096];
        const char *slash = strrchr(names[i], '/');
        bases[i] = slash != NULL ? slash + 1 : names[i];
        snprintf(folder, sizeof folder, "%.*s.", (int)(bases[i] - names[i]), names[i]);
        exist = stat(names[i], &files[i]) == 0 && exist;
        known = stat(folder, &folders[i]) == 0 && known;
    }
    const struct stat *what = exist ? files : folders;
    return (exist || (known && strcmp(bases[0], bases[1]) == 0)) &&
           what[0].st_dev == what[1].st_dev && what[0].st_ino == what[1].st_ino;
}

/* The outputs replace neither each other nor the checkpoint. Rank 0's: others may see other
 * disks. */
static int check_outputs(const command_line *s, elm_error *err)
{
    const struct {
        const char *path, *flag, *other, *what;
    } pairs[] = {
        {s->out, "--out", s->embeddings, "the embeddings' file"},
        {s->out, "--out", s->checkpoint, "the checkpoint"},
        {s->embeddings, "--embeddings", s->checkpoint, "the checkpoint"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (pairs[i].path != NULL && pairs[i].other != NULL &&
            !elm_output_is_stdout(pairs[i].path) && is_same_file(pairs[i].path, pairs[i].other))
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "this output would replace %s (%s %s): name another file",
                                 pairs[i].what, pairs[i].flag, pairs[i].path);
    return 0;
}

static int check_command(command_line *s, elm_error *err)
{
    for (s->prior = 0; s->prior < PRIORS; s->prior++)
        if (strcmp(priors[s->prior], s->prior_name) == 0)
            break;
    if (s->prior == PRIORS)
        return elm_error_unknown(err, &(elm_unknown){.what = "prior",
                                                     .name = s->prior_name,
                                                     .place = "--prior",
                                                     .names = priors,
                                                     .count = PRIORS});
    if (s->tau >= 0 && s->prior == PRIOR_PLAIN)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "plain takes no strength (--tau): omit it, or give --prior "
                             "posthoc-la");
    if (s->embeddings != NULL && elm_output_is_stdout(s->embeddings))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "embeddings cannot go to standard output (--embeddings): name a file");
    return 0;
}

static elm_command_result parse_command(command_line *s, bool quiet, int argc, char **argv,
                                        elm_error *err)
{
    const elm_flag flags[] = {
        {"--top", ELM_FLAG_INT, &s->top, 1, 1 << 20, "K",
         "classes of each image, the most probable first (default 5, or all where there are "
         "fewer)"},
        {"--out", ELM_FLAG_TEXT, &s->out, 0, 0, "FILE",
         "write the predictions there (default: standard output)"},
        {"--json", ELM_FLAG_SWITCH, &s->json, 0, 0, NULL,
         "a JSON object a line in place of CSV (path, class1, probability1, ...)"},
        {"--prior", ELM_FLAG_TEXT, &s->prior_name, 0, 0, "NAME",
         "plain (default): the network's own; posthoc-la: the logits less tau log of the class's "
         "share of the training images"},
        {"--tau", ELM_FLAG_REAL, &s->tau, 0, 100, "T", "posthoc-la: the strength (default 1)"},
        {"--embeddings", ELM_FLAG_TEXT, &s->embeddings, 0, 0, "FILE",
         "also write the images' embeddings there (HDF5)"},
        {"--strict", ELM_FLAG_SWITCH, &s->strict, 0, 0, NULL,
         "end with exit code 1 where an image could not be read; the others are classified"},
        {"--weights", ELM_FLAG_TEXT, &s->weights, 0, 0, "WHICH",
         "last (default): as the last step left them; ema: their moving average, of a run with "
         "optim.ema"},
        {"--data", ELM_FLAG_TEXT, &s->store, 0, 0, "STORE",
         "take the input's size and normalization from this data set instead of the checkpoint; "
         "an older checkpoint without them needs it where it is not at the job's data.store"},
        {"--threads", ELM_FLAG_INT, &s->threads, 0, 1024, "N",
         "threads a rank (default 0: as for training)"},
        {"--quiet", ELM_FLAG_SWITCH, &s->quiet, 0, 0, NULL, "no words but warnings and errors"},
        {0},
    };
    elm_command command = {
        .program = program,
        .version = ELMPI_VERSION,
        .usage = "CHECKPOINT IMAGE|FOLDER|LIST|ARCHIVE|-... [--top K] [--out FILE]",
        .summary =
            "Classifies new images: JPEG and PNG files, folders and archives of them, and lists "
            "of paths, one a line (- : from standard input). Runs alone or under mpirun.",
        .flags = flags,
        .min_words = 2,
        .max_words = INPUTS_MAX,
        .word_name = "a checkpoint or what to classify",
        .quiet = quiet,
    };
    const elm_command_result result = elm_command_parse(&command, argc, argv, err);
    if (result != ELM_COMMAND_RUN)
        return result;
    s->checkpoint = command.words[0];
    s->inputs = command.words + 1;
    s->input_count = command.word_count - 1;
    return check_command(s, err) == 0 ? ELM_COMMAND_RUN : ELM_COMMAND_ERROR;
}

static int load_net(predictor *p, elm_error *err)
{
    const elm_store_info info = elm_network_input_info(&p->input, p->checkpoint->classes);
    const elm_net_spec spec = {
        .model = &p->options.model,
        .channels = info.channels,
        .height = info.height,
        .width = info.width,
        .features = info.features,
        .classes = info.classes,
        .max_images = elm_evaluation_batch(&info),
        .ranks = 1,
        .backend = p->choice.backend,
        .layout = p->choice.layout,
        .precision = p->choice.precision,
        .seed = (uint64_t)p->options.run.seed,
        .fold_norms = true,
    };
    return elm_net_create(&p->net, &spec, err) != 0
               ? -1
               : elm_weights_load(p->net, p->checkpoint->tensors, p->checkpoint->tensor_count, err);
}

static int load_prior(predictor *p, const command_line *s, elm_error *err)
{
    const elm_checkpoint *c = p->checkpoint;
    if (s->prior == PRIOR_PLAIN)
        return 0;
    if (c->class_count == NULL)
        return elm_error_set(err, ELM_EXIT_FAILURE,
                             "the checkpoint lacks the classes' training images (%s): use --prior "
                             "plain",
                             s->checkpoint);
    p->shift = elm_alloc((size_t)c->classes, sizeof *p->shift, err);
    return p->shift == NULL ? -1
                            : elm_prior_shift(c->class_count, c->classes, s->tau >= 0 ? s->tau : 1,
                                              p->shift, err);
}

static int load_local(predictor *p, const command_line *s, bool has_bf16, elm_error *err)
{
    const elm_choice_given nothing = {0};
    if (elm_job_choice(&p->options, has_bf16, nothing, &p->choice, err) != 0)
        return -1;
    return load_net(p, err) != 0 ? -1 : load_prior(p, s, err);
}

/* Rank 0 alone looks for a store. */
static int find_input_all(predictor *p, const command_line *s, elm_comm *comm, elm_error *err)
{
    int status = 0;
    if (elm_comm_rank(comm) == 0)
        status = elm_network_input_find(p->checkpoint, &p->options.data, s->store, &p->input, err);
    status = elm_comm_agree_all(comm, status, err);
    if (status == 0)
        elm_comm_broadcast_all(comm, &p->input, sizeof p->input);
    return status;
}

static int load_all(predictor *p, const command_line *s, elm_comm *comm, const elm_log *log,
                    elm_error *err)
{
    char binding[ELM_BINDING_TEXT];
    const bool has_bf16 = elm_run_has_bf16_all(comm);
    if (elm_checkpoint_read_all(comm, s->checkpoint, &p->checkpoint, err) != 0 ||
        elm_comm_agree_all(comm, elm_checkpoint_choose_weights(p->checkpoint, s->weights, err),
                           err) != 0 ||
        elm_comm_agree_all(
            comm, elm_job_of_checkpoint(p->checkpoint, s->checkpoint, NULL, 0, &p->options, err),
            err) != 0 ||
        find_input_all(p, s, comm, err) != 0)
        return -1;
    elm_binding_apply_all(comm, p->options.run.binding,
                          (int)(s->threads > 0 ? s->threads : p->options.run.threads), binding);
    elm_log_info(log, "%s", binding);
    return elm_comm_agree_all(comm, load_local(p, s, has_bf16, err), err);
}

static void introduce(const predictor *p, const command_line *s, const elm_log *log)
{
    const elm_checkpoint *c = p->checkpoint;
    elm_log_info(log, "weights of %s%s, epoch %.2f, step %lld: %s, %d classes, %d x %d pixels",
                 s->checkpoint,
                 s->weights != NULL && strcmp(s->weights, "ema") == 0 ? " (moving average)" : "",
                 c->epoch, (long long)c->step, p->options.model.name, c->classes, p->input.width,
                 p->input.height);
    elm_warn_unless_newest(log, s->checkpoint, c);
    if (p->shift != NULL && strcmp(p->options.loss.logit, "logadj") == 0)
        elm_log_warn(log, "logadj has removed the priors in training already, and posthoc-la "
                          "removes them again: use --prior plain for this checkpoint");
}

static void summarize(const elm_predict_summary *summary, const command_line *s, const elm_log *log)
{
    char passed[80] = "";
    if (summary->passed > 0)
        snprintf(passed, sizeof passed, ", %lld other files passed over",
                 (long long)summary->passed);
    elm_log_info(log, "%lld images in %.1f s (%.1f a second), %lld unreadable%s%s%s",
                 (long long)summary->images, summary->seconds,
                 (double)summary->images / (summary->seconds > 0 ? summary->seconds : 1),
                 (long long)summary->unreadable, passed,
                 elm_output_is_stdout(s->out) ? "" : ": written to ",
                 elm_output_is_stdout(s->out) ? "" : s->out);
}

/* Classifies, says how it went, and whether that is good enough. */
static int classify_all(predictor *p, const command_line *s, elm_comm *comm, const elm_log *log,
                        elm_error *err)
{
    const elm_store_info info = elm_network_input_info(&p->input, p->checkpoint->classes);
    const int classes = p->checkpoint->classes;
    const elm_predict_request request = {
        .inputs = s->inputs,
        .input_count = s->input_count,
        .net = p->net,
        .checkpoint = p->checkpoint,
        .weights = s->weights,
        .input = &p->input,
        .shift = p->shift,
        .top = s->top < classes ? (int)s->top : classes,
        .batch = elm_evaluation_batch(&info),
        .out = s->out,
        .embeddings = s->embeddings,
        .json = s->json,
        .comm = comm,
        .log = log,
    };
    elm_predict_summary summary;
    if (elm_predict_all(&request, &summary, err) != 0)
        return -1;
    summarize(&summary, s, log);
    return s->strict && summary.unreadable > 0
               ? elm_error_set(err, ELM_EXIT_FAILURE,
                               "%lld images cannot be read (--strict): repair them, or omit "
                               "--strict",
                               (long long)summary.unreadable)
               : 0;
}

static int predict_all(const command_line *s, elm_comm *comm, const elm_log *log, elm_error *err)
{
    predictor p = {0};
    elm_ticker *ticker = NULL;
    const int outputs = elm_comm_rank(comm) == 0 ? check_outputs(s, err) : 0;
    if (elm_comm_agree_all(comm, outputs, err) != 0 || elm_cpu_same_all(comm, err) != 0)
        return -1;
    if (!log->quiet && elm_ticker_create(&ticker, log, elm_ticker_seconds(), NULL) == 0)
        /* without a thread it says nothing, and works all the same */
        elm_comm_set_ticker(comm, ticker);
    elm_ticker_begin(ticker, "the checkpoint is read", 0);
    int status = load_all(&p, s, comm, log, err);
    elm_ticker_end(ticker);
    if (status == 0) {
        introduce(&p, s, log);
        status = classify_all(&p, s, comm, log, err);
    }
    elm_comm_set_ticker(comm, NULL);
    elm_ticker_destroy(ticker);
    elm_net_destroy(p.net);
    elm_free(p.shift);
    elm_checkpoint_free(p.checkpoint);
    return status;
}

static int run_all(int argc, char **argv, elm_comm *comm)
{
    elm_log log = {.program = program};
    elm_error err = {0};
    const bool speaks = elm_comm_rank(comm) == 0;
    command_line settings = {.top = 5, .tau = -1, .out = "-", .prior_name = priors[PRIOR_PLAIN]};
    int status = parse_command(&settings, !speaks, argc, argv, &err);
    log.quiet = !speaks || settings.quiet;
    log.to_stderr = elm_output_is_stdout(settings.out);
    if (status == ELM_COMMAND_RUN)
        status = predict_all(&settings, comm, &log, &err);
    if (status < 0 && speaks)
        elm_log_error(&log, "%s", err.text);
    return status < 0 ? err.code : ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    return elm_ranks_main(program, argc, argv, run_all);
}
