#include "train/metrics/tensorboard.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file/io.h"
#include "train/metrics/event_file.h"

/* Seconds between two flushes, so that whoever looks on sees the run go on. */
static const double flush_seconds = 5;

int elm_tensorboard_start(elm_run *run, elm_error *err)
{
    if (!run->options.run.tensorboard || run->folder == NULL)
        return 0;
    char host[256] = "", path[ELM_PATH_SIZE + 512];
    gethostname(host, sizeof host - 1);
    /* TensorBoard reads files in the order of their names. Run numbers ascend, whatever the
     * hosts' clocks say. */
    snprintf(path, sizeof path, "%s/events.out.tfevents.%010d.%s", elm_run_folder_path(run->folder),
             elm_run_folder_number(run->folder), host);
    if (elm_event_file_create(&run->events, path, err) != 0)
        return -1;
    if (!run->request->resume)
        return 0;
    elm_event_file_purge(run->events, run->step);
    const elm_history *history = &run->history;
    if (history->count > 0 && history->rows[history->count - 1].step == (double)run->step)
        elm_tensorboard_epoch(run, &history->rows[history->count - 1]);
    return 0;
}

static double peak_memory_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

void elm_tensorboard_step(elm_run *run, const elm_step_report *report, double seconds)
{
    if (run->events == NULL)
        return;
    const elm_event_scalar scalars[] = {
        {"step/loss", report->figures.loss},
        {"step/logit_loss", report->figures.logit_loss},
        {"step/embed_loss", report->figures.embed_loss},
        {"step/lr", run->last_lr},
        {"step/images_per_s", seconds > 0 ? (double)report->images / seconds : 0},
        {"step/peak_memory_mib", peak_memory_mib()},
        {"step/gradient_norm", report->gradient_norm}, /* the last: only clipping asks for it */
    };
    const int count = sizeof scalars / sizeof *scalars;
    elm_event_file_scalars(run->events, run->step - 1, scalars,
                           run->options.optim.clip_norm > 0 ? count : count - 1);
    const double now = elm_io_seconds();
    if (now - run->events_flushed >= flush_seconds)
        elm_tensorboard_flush(run);
}

void elm_tensorboard_epoch(elm_run *run, const elm_epoch_row *row)
{
    enum { TAGS = 64, TAG_BYTES = 72 };
    char tags[TAGS][TAG_BYTES];
    elm_event_scalar scalars[TAGS];
    int count = 0;
    if (run->events == NULL)
        return;
    const char *name;
    for (double value; count < TAGS && (name = elm_epoch_row_column(row, count, &value)) != NULL;
         count++) {
        snprintf(tags[count], TAG_BYTES, "epoch/%s", name);
        scalars[count] = (elm_event_scalar){tags[count], value};
    }
    elm_event_file_scalars(run->events, (int64_t)row->step, scalars, count);
    elm_tensorboard_flush(run);
}

void elm_tensorboard_flush(elm_run *run)
{
    if (run->events == NULL)
        return;
    run->events_flushed = elm_io_seconds();
    const int cause = elm_event_file_flush(run->events);
    if (cause == 0)
        return;
    elm_log_warn(run->log,
                 "the figures for TensorBoard end here (%s): %s; the run goes on without them",
                 elm_run_folder_path(run->folder), strerror(cause));
    elm_tensorboard_end(run);
}

void elm_tensorboard_end(elm_run *run)
{
    elm_event_file_close(run->events);
    run->events = NULL;
}
