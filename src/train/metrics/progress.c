#include "train/metrics/progress.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/process/clock.h"
#include "elmpi/ticker.h"

static const double renew_seconds = 0.5;

void elm_progress_start(elm_progress *p)
{
    p->started = elm_clock_seconds();
    p->shown = p->on_terminal ? 0 : p->started;
}

static void wipe(const elm_progress *p)
{
    if (p->on_terminal && p->shown > 0) {
        fputs("\r\033[K", stdout);
        fflush(stdout);
    }
}

/* Seconds to the end of the schedule at the pace so far. */
static double seconds_left(const elm_progress *p, int64_t step)
{
    const double done = (double)(step - p->first_step);
    return done > 0 ? (elm_clock_seconds() - p->started) / done * (double)(p->total_steps - step)
                    : 0;
}

static const char *clock_text(char text[32], double seconds)
{
    const long s = lround(seconds);
    snprintf(text, 32, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    return text;
}

void elm_progress_step(elm_progress *p, const elm_step_report *report, const elm_epoch_sums *sums,
                       elm_step_place at)
{
    const double now = elm_clock_seconds(),
                 every = p->on_terminal ? renew_seconds : elm_ticker_seconds();
    if (p->log->quiet || now - p->shown < every)
        return;
    p->shown = now;
    char left[32];
    clock_text(left, seconds_left(p, at.step));
    if (!p->on_terminal) { /* a log: a line a minute within an epoch */
        elm_log_info(
            p->log,
            "  at %.2f of %g epochs  step %lld  loss %.4f  rate %.4g  %.0f images/s  %s left",
            at.epoch, p->epochs, (long long)at.step, report->figures.loss, at.lr,
            sums->images / sums->seconds, left);
        return;
    }
    printf("\r\033[Kepoch %.2f/%g  step %lld  loss %.4f  rate %.4g  %.0f images/s  %s left",
           at.epoch, p->epochs, (long long)at.step, report->figures.loss, at.lr,
           sums->images / sums->seconds, left);
    fflush(stdout);
}

/* " positives 99/63/12%": the share of head, torso and tail anchors that met another image of
 * their class; " bank" in the memory bank. */
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

void elm_progress_epoch(elm_progress *p, const elm_epoch_metrics *row)
{
    wipe(p);
    if (!p->on_terminal)
        p->shown = elm_clock_seconds();
    char left[32], parts[1200] = "", positives[80], bank[120], test[80] = "", held_out[80] = "",
                   wait[80] = "";
    if (strcmp(p->embed, "none"))
        snprintf(parts, sizeof parts, " (%s %.4f, %s %.4f)", p->logit, row->logit_loss, p->embed,
                 row->embed_loss);
    shares_text(positives, sizeof positives, "positives", row->positives);
    shares_text(bank, sizeof bank, "bank", row->bank);
    if (!isnan(row->bank_drift))
        snprintf(bank + strlen(bank), sizeof bank - strlen(bank), " (drift %.3f)", row->bank_drift);
    if (!isnan(row->test.balanced_accuracy))
        snprintf(test, sizeof test, "  %s balanced %.2f%%", p->test_split,
                 100 * row->test.balanced_accuracy);
    if (!isnan(row->holdout.balanced_accuracy))
        snprintf(held_out, sizeof held_out, "  held-out balanced %.2f%%",
                 100 * row->holdout.balanced_accuracy);
    if (row->input_wait >= 0.01) /* worth more data.threads, or a faster disk */
        snprintf(wait, sizeof wait, "  input waits %.0f%%", 100 * row->input_wait);
    if (row->unreadable > 0)
        snprintf(wait + strlen(wait), sizeof wait - strlen(wait), "  %.0f images unreadable",
                 row->unreadable);
    elm_log_info(
        p->log,
        "epoch %6.2f  loss %.4f%s  train %.2f%%%s%s  rate %.4g  %.0f images/s%s  %s left%s%s",
        row->epoch, row->loss, parts, 100 * row->train_accuracy, positives, bank, row->lr,
        row->images_per_s, wait, clock_text(left, seconds_left(p, (int64_t)row->step)), held_out,
        test);
}

void elm_progress_end(elm_progress *p)
{
    wipe(p);
}
