/* A run: steps until the schedule ends, a stop is requested, or a value is not finite. */
#include "elmpi/run.h"

#include <math.h>
#include <stdio.h>

#include "base/process/clock.h"
#include "base/process/process.h"
#include "elmpi/memory.h"
#include "eval/class_means.h"
#include "train/run/run.h"

/* True when a multiple of `every` epochs has been passed by the step that ended at run->step. */
static bool passed(const elm_run *run, double every)
{
    if (every <= 0)
        return false;
    const double per = every * (double)run->steps_per_epoch, tolerance = 1e-9 * (double)run->step;
    return floor(((double)run->step + tolerance) / per) >
           floor(((double)run->step - 1 + tolerance) / per);
}

static elm_step_place place_of(const elm_run *run)
{
    return (elm_step_place){run->step, (double)run->step / (double)run->steps_per_epoch,
                            run->last_lr};
}

static bool epoch_ends(const elm_run *run)
{
    return run->step % run->steps_per_epoch == 0 || run->step == run->total_steps;
}

/* Puts the figures of the held-out images and of the test set into the row; *test: the latter's
 * metrics, NULL without a test set. */
static int evaluate_all(elm_run *run, elm_epoch_metrics *row, elm_metrics **test, elm_error *err)
{
    elm_metrics *held_out = NULL;
    if (elm_run_evaluate_all(run, run->holdout, &held_out, err))
        return -1;
    if (held_out)
        row->holdout = elm_split_metrics_of(held_out);
    elm_metrics_destroy(held_out);
    if (elm_run_evaluate_all(run, run->test, test, err))
        return -1;
    if (*test)
        row->test = elm_split_metrics_of(*test);
    return 0;
}

/* All of its steps are done, its row is not yet written. */
static bool epoch_is_open(const elm_run *run)
{
    return epoch_ends(run) && run->sums.images > 0;
}

static bool evaluation_is_due(const elm_run *run)
{
    return (run->test || run->holdout) &&
           (run->step == run->total_steps || passed(run, run->options.run.evaluate_every_epochs));
}

/* Unreadable images that any rank has met, so that all of them judge by the same number. */
static int share_faults_all(elm_run *run, elm_error *err)
{
    const size_t size_bytes = elm_loader_fault_bytes(run->loader);
    if (size_bytes == 0)
        return 0;
    uint8_t *bits = elm_alloc(size_bytes, 1, err);
    if (elm_comm_agree_all(run->comm, bits ? 0 : -1, err)) {
        elm_free(bits);
        return -1;
    }
    elm_loader_faults(run->loader, bits);
    elm_comm_or_all(run->comm, bits, (int64_t)size_bytes);
    elm_loader_take_faults(run->loader, bits);
    elm_free(bits);
    return elm_comm_agree_all(run->comm, elm_loader_check(run->loader, err), err);
}

/* Closes an epoch: evaluation if due, a row of metrics.csv. *final receives the metrics of the
 * run's last step. */
static int close_epoch_all(elm_run *run, elm_metrics **final, elm_error *err)
{
    elm_epoch_metrics row = elm_epoch_metrics_of(&run->sums, place_of(run));
    elm_metrics *metrics = NULL;
    if (elm_comm_agree_all(run->comm, elm_watchdog_enter(elm_comm_watch(run->comm), "metrics", err),
                           err) ||
        share_faults_all(run, err))
        return -1;
    if (evaluation_is_due(run) && evaluate_all(run, &row, &metrics, err))
        return -1;
    elm_progress_epoch(&run->progress, &row);
    elm_tensorboard_epoch(&run->tensorboard, &row);
    run->sums = (elm_epoch_sums){0};
    run->unsaved = true;
    const bool best = elm_run_is_best(run, &row);
    const int status =
        elm_comm_agree_all(run->comm, elm_history_append(&run->history, &row, err), err);
    if (!status)
        elm_run_stop_early(run);
    if (run->step == run->total_steps)
        *final = metrics;
    else
        elm_metrics_destroy(metrics);
    if (status || (best && elm_run_save_best_all(run, err)))
        return -1;
    return elm_run_save_metrics_all(run, err);
}

/* An evaluation may take longer than a scheduler waits. What is due is saved before it, with the
 * epoch still open, and whoever requests to stop, before or during it, leaves it to the resumed
 * run, which closes an open epoch first: the history is the same. */
static int end_epoch_all(elm_run *run, bool save_due, bool stop, elm_metrics **final,
                         elm_error *err)
{
    const bool evaluation = evaluation_is_due(run), last = run->step == run->total_steps;
    if (evaluation && (save_due || last) && elm_run_save_all(run, err))
        return -1;
    if (evaluation && stop)
        return 0;
    if (close_epoch_all(run, final, err))
        return -1;
    return !evaluation && save_due && !last ? elm_run_save_all(run, err) : 0;
}

static elm_step_requests requests_of(const elm_run *run)
{
    const double every = run->options.checkpoint.every_minutes * 60;
    return (elm_step_requests){
        .stop = run->request->stop && *run->request->stop,
        .checkpoint = elm_comm_rank(run->comm) == 0 && every > 0 &&
                      elm_clock_seconds() - run->last_save >= every,
        .refuse = elm_loader_check(run->loader, NULL) != 0,
    };
}

/* Images that this rank could not read, as soon as they are known; any rank may have some. */
static void say_complaints(const elm_run *run)
{
    char text[2048];
    elm_log loud = *run->log;
    loud.quiet = false;
    while (elm_loader_complaint(run->loader, text, sizeof text))
        elm_log_warn(&loud, "%s", text);
}

/* Class means over the training set, for a term that wants new ones before each epoch. */
static int renew_means_all(elm_run *run, elm_error *err)
{
    elm_loss *loss = elm_trainer_loss(run->trainer);
    if (!elm_loss_needs_of(loss).means || run->step % run->steps_per_epoch != 0)
        return 0;
    float *means;
    if (elm_class_means_all(elm_trainer_net(run->trainer), run->train, run->comm, &means, err))
        return -1;
    elm_loss_set_means(loss, means);
    elm_free(means);
    return 0;
}

static void tell_step(elm_run *run, const elm_step_report *report, double seconds)
{
    run->nonfinite.skipped = 0;
    elm_epoch_sums_add(&run->sums, report, seconds);
    elm_progress_step(&run->progress, report, &run->sums, place_of(run));
    elm_tensorboard_step(&run->tensorboard, report, seconds, place_of(run));
}

/* One step and what follows from it; *stop: a rank requested the end. */
static int advance_all(elm_run *run, elm_metrics **final, bool *stop, elm_error *err)
{
    const double begun = elm_clock_seconds();
    elm_watchdog_set_step(elm_comm_watch(run->comm), run->step + 1);
    if (renew_means_all(run, err))
        return -1;
    run->last_lr = elm_schedule_lr(&run->options.optim, run->step, run->steps_per_epoch);
    const double waited = elm_loader_waited(run->loader);
    elm_step_report report;
    const elm_batch *batch;
    do {
        elm_trainer_enter(run->trainer, ELM_PHASE_INPUT);
        batch = elm_loader_next(run->loader);
        report = elm_trainer_step_all(run->trainer, batch, run->last_lr, requests_of(run));
    } while (batch->more);
    report.seconds[ELM_PHASE_INPUT] = elm_loader_waited(run->loader) - waited;
    say_complaints(run);
    if (report.requests.refuse)
        return elm_comm_agree_all(
            run->comm,
            elm_loader_check(run->loader, err) || elm_trainer_check(run->trainer, err) ? -1 : 0,
            err);
    if (!report.finite && elm_nonfinite_all(&run->nonfinite, batch, place_of(run), err))
        return -1;
    run->step++;
    run->unsaved = true;
    if (report.finite)
        tell_step(run, &report, elm_clock_seconds() - begun);
    *stop = report.requests.stop;
    const bool due = report.requests.stop || report.requests.checkpoint ||
                     passed(run, run->options.checkpoint.every_epochs);
    if (epoch_ends(run))
        return end_epoch_all(run, due, *stop, final, err);
    return due ? elm_run_save_all(run, err) : 0;
}

static void say_result(const elm_run *run)
{
    const elm_epoch_metrics *best = elm_history_best(&run->history);
    elm_run_say_best(run);
    if (best && run->options.run.evaluate_every_epochs > 0)
        elm_log_info(run->log,
                     "Best on the %s set so far (chosen by the %s set, so not a result to report): "
                     "%.2f%% at epoch %.2f",
                     run->test_split, run->test_split, 100 * best->test.balanced_accuracy,
                     best->epoch);
}

/* What an earlier start has left undone: an epoch that it did not close, or the evaluation after
 * its last step. */
static int catch_up_all(elm_run *run, elm_metrics **final, elm_error *err)
{
    if (epoch_is_open(run))
        return close_epoch_all(run, final, err);
    if (run->step < run->total_steps || !run->test || !elm_run_lacks_report_all(run))
        return 0;
    elm_log_info(run->log, "The evaluation of step %lld is missing: it follows.",
                 (long long)run->step);
    return elm_run_evaluate_all(run, run->test, final, err);
}

/* How the steps of this start end. */
typedef enum outcome {
    FAILED,
    NOTHING_LEFT, /* an earlier start has gone as far as this one may */
    FINISHED,     /* the schedule has ended */
    AT_LIMIT,     /* as --max-steps asks */
    STOPPED,      /* on request, with something left to do */
} outcome;

/* Of this start. */
static int64_t last_step(const elm_run *run)
{
    const int64_t limit = run->request->max_steps;
    return limit >= 0 && limit < run->total_steps ? limit : run->total_steps;
}

/* *final: metrics of the last weights, NULL where there are none to report. */
static outcome train_all(elm_run *run, elm_metrics **final, elm_error *err)
{
    bool stop = false;
    int status = run->step > 0 ? catch_up_all(run, final, err) : 0;
    if (!status && !*final && run->step >= last_step(run) && run->step > 0)
        return NOTHING_LEFT;
    while (!status && !stop && run->step < last_step(run)) /* which an early stop moves */
        status = advance_all(run, final, &stop, err);
    if (status)
        return err->code == ELM_EXIT_STOPPED ? STOPPED : FAILED; /* within an evaluation */
    if (stop && (run->step < last_step(run) || epoch_is_open(run)))
        return STOPPED;
    return run->step == run->total_steps ? FINISHED : AT_LIMIT;
}

static int say_outcome(const elm_run *run, outcome how, elm_error *err)
{
    const long long step = (long long)run->step, total = (long long)run->total_steps;
    switch (how) {
    case FAILED:
        return -1;
    case NOTHING_LEFT:
        elm_log_info(run->log, "Nothing left to do: the run has reached step %lld of %lld%s.", step,
                     total, last_step(run) < total ? ", and --max-steps asks for no more" : "");
        return 0;
    case FINISHED:
        say_result(run);
        return 0;
    case AT_LIMIT:
        elm_log_info(run->log,
                     "Ended after step %lld of %lld, as --max-steps asks (checkpoint written): "
                     "--resume continues.",
                     step, total);
        return 0;
    case STOPPED:
        break;
    }
    return elm_error_set(
        err, ELM_EXIT_STOPPED,
        "stopped on request after step %lld of %lld (checkpoint written): --resume continues", step,
        total);
}

static int steps_all(elm_run *run, elm_error *err)
{
    elm_metrics *final = NULL;
    const outcome how = train_all(run, &final, err);
    int status = how == FAILED ? -1 : 0;
    if (!status && run->unsaved)
        status = elm_run_save_all(run, err);
    if (!status && final)
        status = elm_run_report_all(run, final, err);
    elm_metrics_destroy(final);
    return status ? status : say_outcome(run, how, err);
}

int elm_run_train_all(const elm_run_request *request, elm_comm *comm, elm_log *log, elm_error *err)
{
    elm_run run = {.request = request, .comm = comm, .log = log};
    elm_ticker *ticker = NULL;
    if (!log->quiet && !request->progress &&
        !elm_ticker_create(&ticker, log, elm_ticker_seconds(), NULL))
        /* without a thread it says nothing, and trains all the same */
        elm_comm_set_ticker(comm, ticker);
    elm_ticker_begin(ticker, "the run is set up", 0);
    int status = elm_run_setup_all(&run, err);
    elm_ticker_end(ticker);
    if (!status) {
        elm_process_defer_stop(); /* from here on a request finds something worth a checkpoint */
        elm_run_introduce(&run);
        run.last_save = elm_clock_seconds();
        elm_progress_start(&run.progress);
        status = steps_all(&run, err);
        elm_progress_end(&run.progress);
    }
    elm_comm_set_ticker(comm, NULL);
    elm_ticker_destroy(ticker);
    elm_run_release(&run);
    return status;
}
