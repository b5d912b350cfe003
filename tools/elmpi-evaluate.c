/* elmpi-evaluate: what a checkpoint's network predicts on a test set. */
#include <math.h>

#include "elmpi/output.h"
#include "evaluate.h"
#include "ranks.h"
#include "train/same_cpu.h"

static const char program[] = "elmpi-evaluate";

static int evaluate_all(const evaluate_options *s, elm_comm *comm, const elm_log *log,
                        elm_error *err)
{
    evaluated subject = {0};
    elm_recall_counts tally = {0};
    if (elm_cpu_same_all(comm, err) != 0)
        return -1;
    elm_ticker *ticker = NULL;
    if (!log->quiet && elm_ticker_create(&ticker, log, elm_ticker_seconds(), NULL) == 0)
        /* without a thread it says nothing, and works all the same */
        elm_comm_set_ticker(comm, ticker);
    elm_ticker_begin(ticker, "checkpoint and data set are read", 0);
    int status = evaluate_load_all(&subject, s, comm, log, err);
    elm_ticker_end(ticker);
    if (status == 0) {
        const elm_classifier_input input = {.net = subject.net,
                                            .test = subject.dataset,
                                            .train = subject.train,
                                            .selection = subject.selection,
                                            .train_count = subject.checkpoint->class_count,
                                            .comm = comm,
                                            .log = log,
                                            .settings = &subject.settings};
        status = s->with->count_all(&input, &tally, err);
    }
    if (status == 0)
        status = elm_comm_agree_all(
            comm, elm_comm_rank(comm) == 0 ? evaluate_report(&subject, s, &tally, log, err) : 0,
            err);
    if (status == 0)
        status = evaluate_write_more_all(&subject, s, comm, log, err);
    elm_comm_set_ticker(comm, NULL);
    elm_ticker_destroy(ticker);
    elm_recall_counts_release(&tally);
    evaluate_unload(&subject);
    return status;
}

static int run_all(int argc, char **argv, elm_comm *comm)
{
    elm_log log = {.program = program};
    elm_error err = {0};
    const bool speaks = elm_comm_rank(comm) == 0;
    evaluate_options settings = {.split = "test",
                                 .classifier = "fc",
                                 .groups = "elm",
                                 .tau = NAN,
                                 .epsilon = NAN,
                                 .tsne_classes = -1 /* not given */};
    int status = evaluate_parse(&settings, program, !speaks, argc, argv, &err);
    log.quiet = !speaks || settings.quiet;
    log.to_stderr = elm_output_is_stdout(settings.json);
    if (status == ELM_COMMAND_RUN)
        status = evaluate_all(&settings, comm, &log, &err);
    if (status < 0 && speaks)
        elm_log_error(&log, "%s", err.text);
    return status < 0 ? err.code : ELM_EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    return elm_ranks_main(program, argc, argv, run_all);
}
