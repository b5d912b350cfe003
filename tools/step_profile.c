#include "step_profile.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "elmpi/memory.h"
#include "elmpi/output.h"

static elm_profile_row *find_row(elm_profile *profile, const elm_event *event)
{
    for (int r = 0; r < profile->count; r++) {
        elm_profile_row *row = &profile->rows[r];
        if (row->track == event->track && !strcmp(row->name, event->name) &&
            !strcmp(row->part, event->part))
            return row;
    }
    if (profile->count == ELM_PROFILE_ROWS)
        return NULL;
    elm_profile_row *row = &profile->rows[profile->count++];
    *row = (elm_profile_row){.name = event->name, .part = event->part, .track = event->track};
    return row;
}

void elm_profile_add(elm_profile *profile, const elm_timeline *timeline)
{
    int count, dropped;
    const elm_event *events = elm_timeline_events(timeline, &count, &dropped);
    for (int e = 0; e < count; e++) {
        elm_profile_row *row = *events[e].part ? find_row(profile, &events[e]) : NULL;
        if (!row)
            continue;
        row->seconds += events[e].end - events[e].begin;
        row->flops += events[e].flops;
        row->bytes += events[e].bytes;
    }
    profile->steps++;
}

double elm_profile_gflops(const elm_profile *profile, int ranks)
{
    double best = 0;
    for (int r = 0; r < profile->count; r++) {
        const elm_profile_row *row = &profile->rows[r];
        const double rate = row->seconds > 0 ? ranks * row->flops / row->seconds * 1e-9 : 0;
        best = rate > best ? rate : best;
    }
    return best;
}

void elm_profile_print(const elm_profile *profile, double step_seconds, int ranks,
                       elm_profile_peaks peaks)
{
    for (int r = 0; r < profile->count; r++) {
        const elm_profile_row *row = &profile->rows[r];
        const double seconds = row->seconds / profile->steps,
                     all = row->seconds > 0 ? ranks / row->seconds * 1e-9 : 0;
        printf("    %-11s %-9s %8.3f ms  ", row->name, row->part, 1e3 * seconds);
        if (row->track == ELM_TRACK_MESSAGES) {
            printf("under way, %.1f MiB a step\n", row->bytes / profile->steps / (1 << 20));
            continue;
        }
        printf("%5.1f%%", 100 * seconds / step_seconds);
        if (row->flops > 0)
            printf("  %7.1f GFLOP/s = %3.0f%% of the FMA peak", row->flops * all,
                   100 * row->flops * all / peaks.gflops);
        else if (row->bytes * all > peaks.gbytes_per_s)
            printf("  %7.1f GB/s, from the caches", row->bytes * all);
        else if (row->bytes > 0)
            printf("  %7.1f GB/s    = %3.0f%% of the memory's rate", row->bytes * all,
                   100 * row->bytes * all / peaks.gbytes_per_s);
        printf("\n");
    }
}

void elm_profile_print_json(const elm_profile *profile)
{
    for (int r = 0; r < profile->count; r++) {
        const elm_profile_row *row = &profile->rows[r];
        printf("%s\"%s %s\": %.6f", r ? ", " : "", row->name, row->part,
               row->seconds / profile->steps);
    }
}

enum { EVENT_TEXT = 256 };

/* One rank's part of the array: no leading bracket, every event followed by a comma. */
static char *trace_text(const elm_timeline *timeline, double origin, int rank, size_t *size,
                        elm_error *err)
{
    int count, dropped;
    const elm_event *events = elm_timeline_events(timeline, &count, &dropped);
    const size_t room = (size_t)(count + 3) * EVENT_TEXT;
    char *text = elm_alloc(room, 1, err);
    if (!text)
        return NULL;
    size_t used = (size_t)snprintf(
        text, room,
        "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,\"args\":{\"name\":\"rank %d\"}},\n",
        rank, rank);
    static const char *const tracks[] = {"work", "messages"};
    for (int t = 0; t < 2; t++)
        used += (size_t)snprintf(text + used, room - used,
                                 "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":%d,\"tid\":%d,"
                                 "\"args\":{\"name\":\"%s\"}},\n",
                                 rank, t, tracks[t]);
    for (int e = 0; e < count; e++)
        used += (size_t)snprintf(text + used, room - used,
                                 "{\"ph\":\"X\",\"name\":\"%s%s%s\",\"pid\":%d,\"tid\":%d,\"ts\":%."
                                 "3f,\"dur\":%.3f,\"args\":{\"gflop\":%.4f,\"MB\":%.4f}},\n",
                                 events[e].name, *events[e].part ? " " : "", events[e].part, rank,
                                 events[e].track, 1e6 * (events[e].begin - origin),
                                 1e6 * (events[e].end - events[e].begin), 1e-9 * events[e].flops,
                                 1e-6 * events[e].bytes);
    *size = used;
    return text;
}

static int write_trace(const char *path, const char *events, size_t size, elm_error *err)
{
    elm_output *output;
    if (elm_output_begin(&output, path, 0, err))
        return -1;
    const size_t whole = size >= 2 ? size - 2 : 0; /* without the last comma */
    elm_output_write(output, "[\n", 2);
    elm_output_write(output, events, whole);
    elm_output_write(output, "\n]\n", 3);
    return elm_output_commit(output, err);
}

int elm_profile_write_trace_all(elm_comm *comm, const elm_timeline *timeline, double origin,
                                const char *path, elm_error *err)
{
    size_t size = 0;
    char *text = trace_text(timeline, origin, elm_comm_rank(comm), &size, err);
    void *gathered = NULL;
    int status = elm_comm_agree_all(comm, text ? 0 : -1, err);
    size_t *sizes = status ? NULL : elm_alloc((size_t)elm_comm_size(comm), sizeof *sizes, err);
    if (!status)
        status = elm_comm_agree_all(comm, sizes ? 0 : -1, err);
    if (!status)
        status = elm_comm_gather_bytes_all(comm, text, size, &gathered, sizes, err);
    size_t total = 0;
    for (int r = 0; !status && sizes && r < elm_comm_size(comm); r++)
        total += sizes[r];
    if (!status)
        status =
            elm_comm_agree_all(comm, gathered ? write_trace(path, gathered, total, err) : 0, err);
    elm_free(gathered);
    elm_free(sizes);
    elm_free(text);
    return status;
}
