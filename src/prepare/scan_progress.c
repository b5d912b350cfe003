#include "prepare/scan_progress.h"

#include <stdio.h>
#include <string.h>

#include "base/process/clock.h"
#include "prepare/source_files.h"

static const double show_every = 0.2; /* seconds */

/* How much of the work is done: with lists, of the images; without, it is unknown how many
 * there are, so of the archives' bytes. */
static double share_done(const elm_index_build *job, const elm_archive_walk *walk)
{
    const int64_t listed = elm_manifest_count(job->catalog);
    if (job->listed)
        return listed > 0 ? (double)job->progress.images / (double)listed : 0;
    const double part = elm_image_source_share(walk->source) * job->progress.current_bytes;
    return job->progress.all_bytes > 0 ? (job->progress.done_bytes + part) / job->progress.all_bytes
                                       : 0;
}

/* The pace is that of images that an interrupted preparation had not done before. */
void elm_scan_progress_show(elm_index_build *job, const elm_archive_walk *walk)
{
    const elm_prepare_request *request = job->request;
    const double now = elm_clock_seconds(), elapsed = now - job->progress.started;
    if (request->progress == NULL || now - job->progress.shown < show_every)
        return;
    job->progress.shown = now;
    const double share = share_done(job, walk),
                 fresh = (double)(job->progress.images - job->progress.earlier);
    /* images there will have been */
    const double whole = share > 0 ? (double)job->progress.images / share : 0;
    const long left =
        fresh > 0 ? (long)((whole - (double)job->progress.images) * elapsed / fresh) : 0;
    const char *slash = strrchr(walk->name, '/');
    char what[200];
    snprintf(what, sizeof what, "%.60s: %lld images, %.0f/s, %ld:%02ld:%02ld left",
             slash != NULL && slash[1] != '\0' ? slash + 1 : walk->name,
             (long long)job->progress.images, fresh / elapsed, left / 3600, left / 60 % 60,
             left % 60);
    request->progress(request->progress_context, what, share);
}

void elm_scan_progress_rate(const elm_index_build *job, int threads)
{
    const double seconds = elm_clock_seconds() - job->progress.started,
                 fresh = (double)(job->progress.images - job->progress.earlier);
    if (fresh > 0)
        elm_log_info(
            job->request->log, "%.0f image%s read%s in %.1f s, %.0f a second with %d thread%s",
            fresh, fresh > 1 ? "s" : "",
            job->request->image_files.no_decode ? ", not decoded (--no-decode)," : " and decoded",
            seconds, fresh / (seconds > 0 ? seconds : 1), threads, threads > 1 ? "s" : "");
}
