#include "elmpi/timeline.h"

#include "base/process/clock.h"
#include "elmpi/memory.h"

struct elm_timeline {
    int capacity, count, dropped;
    elm_event events[];
};

int elm_timeline_create(elm_timeline **timeline, int capacity, elm_error *err)
{
    elm_timeline *t = *timeline =
        elm_alloc(1, sizeof *t + (size_t)capacity * sizeof *t->events, err);
    if (!t)
        return -1;
    t->capacity = capacity;
    return 0;
}

void elm_timeline_destroy(elm_timeline *timeline)
{
    elm_free(timeline);
}

double elm_timeline_now(const elm_timeline *timeline)
{
    return timeline ? elm_clock_seconds() : 0;
}

void elm_timeline_add(elm_timeline *timeline, elm_event event)
{
    if (!timeline)
        return;
    if (timeline->count < timeline->capacity)
        timeline->events[timeline->count++] = event;
    else
        timeline->dropped++;
}

const elm_event *elm_timeline_events(const elm_timeline *timeline, int *count, int *dropped)
{
    *count = timeline->count;
    *dropped = timeline->dropped;
    return timeline->events;
}

void elm_timeline_clear(elm_timeline *timeline)
{
    timeline->count = timeline->dropped = 0;
}
