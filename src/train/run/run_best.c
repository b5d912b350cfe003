/* The checkpoint that the held-out images choose, and the early stop by them. Both follow from the
 * history, which is in checkpoints: a resumed run chooses and stops as the whole one. */
#include <math.h>

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
