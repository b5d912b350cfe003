#include "train/metrics/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/ticker.h"

static const double renew_seconds = 0.5;

static bool on_terminal(const elm_run *run)
{
    return run->request->progress && !run->log->quiet;
}

void elm_progress_start(elm_run *run)
{
    run->progress.started = elm_comm_seconds();
    run->progress.shown = on_terminal(run) ? 0 : run->progress.started;
    run->progress.first_step = run->step;
}

static void wipe(const elm_run *run)
{
    if (on_terminal(run) && run->progress.shown > 0) {
        fputs("\r\033[K", stdout);
        fflush(stdout);
    }
}

/* Seconds to the end of the schedule at the pace so far. */
static double seconds_left(const elm_run *run)
{
    const double done = (double)(run->step - run->progress.first_step);
    return done > 0 ? (elm_comm_seconds() - run->progress.started) / done *
                          (double)(run->total_steps - run->step)
                    : 0;
}

static const char *clock_text(char text[32], double seconds)
{
    const long s = lround(seconds);
    snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

void elm_progress_step(elm_run *run, const elm_step_report *report)
{
    const double now = elm_comm_seconds(),
                 every = on_terminal(run) ? renew_seconds : elm_ticker_seconds();
    if (run->log->quiet || now - run->progress.shown < every)
        return;
    run->progress.shown = now;
    char left[32];
    if (!on_terminal(run)) { /* a log: a line a minute within an epoch */
        elm_log_info(
            run->log,
            "  at %.2f of %g epochs  step %lld  loss %.4f  rate %.4g  %.0f images/s  %s left",
            (double)run->step / (double)run->steps_per_epoch, run->options.optim.epochs,
            (long long)run->step, report->figures.loss, run->last_lr,
            run->sums.images / run->sums.seconds, clock_text(left, seconds_left(run)));
        return;
    }
    printf("\r\033[Kepoch %.2f/%g  step %lld  loss %.4f  rate %.4g  %.0f images/s  %s left",
           (double)run->step / (double)run->steps_per_epoch, run->options.optim.epochs,
           (long long)run->step, report->figures.loss, run->last_lr,
           run->sums.images / run->sums.seconds, clock_text(left, seconds_left(run)));
    fflush(stdout);
}

/* " positives 99/63/12%": the share of head, torso and tail anchors that met another image of
 * their class; " bank" in the class bank. */
static void shares_text(char *text, size_t size, const char *what, const double *p)
{
    *text = 0;
    if (isnan(p[0]) && isnan(p[1]) && isnan(p[2]))
        return;
    size_t used = (size_t)snprintf(text, size, "  %s", what);
    for (int g = 0; g < 3 && used < size; g++)
        used += (size_t)(isnan(p[g]) ? snprintf(text + used, size - used, "%c-", g ? '/' : ' ')
                                     : snprintf(text + used, size - used, "%c%.0f", g ? '/' : ' ',
                                                100 * p[g]));
    if (used < size)
        snprintf(text + used, size - used, "%%");
}

void elm_progress_epoch(elm_run *run, const elm_epoch_row *row)
{
    wipe(run);
    if (!on_terminal(run))
        run->progress.shown = elm_comm_seconds();
    char left[32], parts[1200] = "", positives[80], bank[120], test[80] = "", held_out[80] = "",
                   wait[80] = "";
    if (strcmp(run->options.loss.embed, "none"))
        snprintf(parts, sizeof parts, " (%s %.4f, %s %.4f)", run->options.loss.logit,
                 row->logit_loss, run->options.loss.embed, row->embed_loss);
    shares_text(positives, sizeof positives, "positives", row->positives);
    shares_text(bank, sizeof bank, "bank", row->bank);
    if (!isnan(row->bank_drift))
        snprintf(bank + strlen(bank), sizeof bank - strlen(bank), " (drift %.3f)", row->bank_drift);
    if (!isnan(row->test.balanced_accuracy))
        snprintf(test, sizeof test, "  %s balanced %.2f%%", run->test_split,
                 100 * row->test.balanced_accuracy);
    if (!isnan(row->holdout.balanced_accuracy))
        snprintf(held_out, sizeof held_out, "  held-out balanced %.2f%%",
                 100 * row->holdout.balanced_accuracy);
    if (row->input_wait >= 0.01) /* worth more data.threads, or a faster disk */
        snprintf(wait, sizeof wait, "  input waits %.0f%%", 100 * row->input_wait);
    if (row->absent > 0)
        snprintf(wait + strlen(wait), sizeof wait - strlen(wait), "  %.0f images without a picture",
                 row->absent);
    elm_log_info(
        run->log,
        "epoch %6.2f  loss %.4f%s  train %.2f%%%s%s  rate %.4g  %.0f images/s%s  %s left%s%s",
        row->epoch, row->loss, parts, 100 * row->train_accuracy, positives, bank, row->lr,
        row->images_per_s, wait, clock_text(left, seconds_left(run)), held_out, test);
}

void elm_progress_end(elm_run *run)
{
    wipe(run);
}
