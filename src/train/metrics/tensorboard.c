#include "train/metrics/tensorboard.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/process/clock.h"
#include "train/metrics/event_file.h"

/* Seconds between two flushes, so that whoever looks on sees the run go on. */
static const double flush_seconds = 5;

int elm_tensorboard_start(elm_tensorboard *b, const char *folder, int number, const elm_log *log,
                          bool clips, elm_error *err)
{
    *b = (elm_tensorboard){.log = log, .folder = folder, .clips = clips};
    char host[256] = "", path[ELM_PATH_SIZE + 512];
    gethostname(host, sizeof host - 1);
    /* TensorBoard reads files in the order of their names. Run numbers ascend, whatever the
     * hosts' clocks say. */
    snprintf(path, sizeof path, "%s/events.out.tfevents.%010d.%s", folder, number, host);
    return elm_event_file_create(&b->events, path, err);
}

void elm_tensorboard_resume(elm_tensorboard *b, const elm_history *history, int64_t step)
{
    if (b->events == NULL)
        return;
    elm_event_file_purge(b->events, step);
    if (history->count > 0 && history->rows[history->count - 1].step == (double)step)
        elm_tensorboard_epoch(b, &history->rows[history->count - 1]);
}

static double peak_memory_mib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

void elm_tensorboard_step(elm_tensorboard *b, const elm_step_report *report, double seconds,
                          elm_step_place at)
{
    if (b->events == NULL)
        return;
    const elm_event_scalar scalars[] = {
        {"step/loss", report->figures.loss},
        {"step/logit_loss", report->figures.logit_loss},
        {"step/embed_loss", report->figures.embed_loss},
        {"step/lr", at.lr},
        {"step/images_per_s", seconds > 0 ? (double)report->images / seconds : 0},
        {"step/peak_memory_mib", peak_memory_mib()},
        {"step/gradient_norm", report->gradient_norm}, /* the last: only clipping asks for it */
    };
    const int count = sizeof scalars / sizeof *scalars;
    elm_event_file_scalars(b->events, at.step - 1, scalars, b->clips ? count : count - 1);
    const double now = elm_clock_seconds();
    if (now - b->flushed >= flush_seconds)
        elm_tensorboard_flush(b);
}

void elm_tensorboard_epoch(elm_tensorboard *b, const elm_epoch_metrics *row)
{
    enum { TAGS = 64, TAG_BYTES = 72 };
    char tags[TAGS][TAG_BYTES];
    elm_event_scalar scalars[TAGS];
    int count = 0;
    if (b->events == NULL)
        return;
    const char *name;
    for (double value;
         count < TAGS && (name = elm_epoch_metrics_column(row, count, &value)) != NULL; count++) {
        snprintf(tags[count], TAG_BYTES, "epoch/%s", name);
        scalars[count] = (elm_event_scalar){tags[count], value};
    }
    elm_event_file_scalars(b->events, (int64_t)row->step, scalars, count);
    elm_tensorboard_flush(b);
}

void elm_tensorboard_flush(elm_tensorboard *b)
{
    if (b->events == NULL)
        return;
    b->flushed = elm_clock_seconds();
    const int cause = elm_event_file_flush(b->events);
    if (cause == 0)
        return;
    elm_log_warn(b->log,
                 "the figures for TensorBoard end here (%s): %s; the run goes on without them",
                 b->folder, strerror(cause));
    elm_tensorboard_end(b);
}

void elm_tensorboard_end(elm_tensorboard *b)
{
    elm_event_file_close(b->events);
    b->events = NULL;
}
