/* The checkpoint that the held-out images choose, and the early stop by them. Both follow from the
 * history, which is in checkpoints: a resumed run chooses and stops as the whole one. */
#include <math.h>
#include <stdio.h>

#include "train/run/run.h"

int elm_run_check_best(const elm_job_options *options, elm_error *err)
{
    if (options->checkpoint.best == ELM_BEST_NONE)
        return 0;
    if (!elm_dataset_holds_out(&options->data))
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "no image is held out to choose a checkpoint by (checkpoint.best = "
                             "holdout): hold some out with data.holdout, such as 5 or 0.1");
    if (options->run.evaluate_every_epochs <= 0)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the held-out images are evaluated at the end alone, where there is "
                             "nothing to choose (checkpoint.best = holdout): set "
                             "run.evaluate_every_epochs, such as 1");
    return 0;
}

bool elm_run_is_best(const elm_run *run, const elm_epoch_metrics *row)
{
    const elm_epoch_metrics *best = elm_history_best_held_out(&run->history);
    return run->options.checkpoint.best == ELM_BEST_HOLDOUT &&
           isfinite(row->holdout.balanced_accuracy) &&
           (!best || row->holdout.balanced_accuracy > best->holdout.balanced_accuracy);
}

/* The row of the evaluation that this step ends in; NULL where it ends in none. Between evaluations
 * nothing stops, so that a run resumed there goes on as the whole one. */
static const elm_epoch_metrics *judged_now(const elm_run *run)
{
    const elm_history *history = &run->history;
    const elm_epoch_metrics *last = history->count ? &history->rows[history->count - 1] : NULL;
    return last && (int64_t)last->step == run->step && isfinite(last->holdout.balanced_accuracy)
               ? last
               : NULL;
}

void elm_run_stop_early(elm_run *run)
{
    static const double tolerance = 1e-9; /* epochs are quotients */
    const elm_epoch_metrics *now = judged_now(run),
                            *best = elm_history_best_held_out(&run->history);
    const double most = run->options.checkpoint.early_stop;
    if (run->options.checkpoint.best == ELM_BEST_NONE || most <= 0 || !now ||
        run->step >= run->total_steps || now->epoch - best->epoch < most - tolerance)
        return;
    elm_log_info(run->log,
                 "Stopped early: nothing better on the held-out images for %g epochs "
                 "(checkpoint.early_stop = %g)",
                 now->epoch - best->epoch, most);
    run->total_steps = run->step;
}

/* What best.h5 holds instead of the weights of the best step. Rank 0. */
static void describe_other(int64_t kept, char *text, size_t size_bytes)
{
    if (kept < 0)
        snprintf(text, size_bytes, "its weights were not kept");
    else
        snprintf(text, size_bytes, "its weights were not kept: best.h5 holds those of step %lld",
                 (long long)kept);
}

int elm_run_settle_best(const elm_run *run, elm_error *err)
{
    const elm_epoch_metrics *best = elm_history_best_held_out(&run->history);
    char kept[96];
    if (!best || !*run->resumed_from)
        return 0;
    const int64_t step = (int64_t)best->step;
    if (elm_run_folder_choose_best(run->folder, run->resumed_from, step, err))
        return -1;
    if (run->options.checkpoint.best == ELM_BEST_NONE ||
        elm_run_folder_best_step(run->folder) == step)
        return 0;
    describe_other(elm_run_folder_best_step(run->folder), kept, sizeof kept);
    elm_log_warn(run->log,
                 "the best on the held-out images so far is step %lld, and %s, until a better "
                 "one comes (checkpoint.best = holdout)",
                 (long long)step, kept);
    return 0;
}

void elm_run_say_best(const elm_run *run)
{
    const elm_epoch_metrics *best = elm_history_best_held_out(&run->history);
    char test[80] = "", kept[96] = "";
    if (!best || !run->folder)
        return;
    if (!isnan(best->test.balanced_accuracy))
        snprintf(test, sizeof test, ", where the %s set gives %.2f%%", run->test_split,
                 100 * best->test.balanced_accuracy);
    if (elm_run_folder_best_step(run->folder) == (int64_t)best->step)
        snprintf(kept, sizeof kept, "best.h5 holds its weights");
    else
        describe_other(elm_run_folder_best_step(run->folder), kept, sizeof kept);
    const bool keeps = run->options.checkpoint.best != ELM_BEST_NONE;
    elm_log_info(run->log,
                 "Best on the held-out images so far (chosen by them, not by the test set): "
                 "%.2f%% at epoch %.2f%s%s%s",
                 100 * best->holdout.balanced_accuracy, best->epoch, test, keeps ? "; " : "",
                 keeps ? kept : "");
}
