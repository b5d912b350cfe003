/* The watchdog's view of the other ranks, and its messages. */
#include <string.h>

#include "base/file/shared_memory.h"
#include "base/process/clock.h"
#include "base/process/watchdog_state.h"
#include "base/text/text.h"
#include "elmpi/memory.h"

enum { SHOWN_MAX = 16 };

double watch_interval(double timeout)
{
    /* often enough for ages to say something, seldom enough for a shared disk */
    const double interval = timeout / 10;
    return interval < 0.1 ? 0.1 : interval > 30 ? 30 : interval;
}

static void path_of(const elm_watchdog *watch, int rank, char path[ELM_PATH_SIZE])
{
    elm_heartbeat_path(watch->folder, watch->run, rank, path);
}

void watch_beat(elm_watchdog *watch, int flags)
{
    char path[ELM_PATH_SIZE];
    elm_heartbeat mine = {.step = (long long)atomic_load(&watch->step),
                          .count = ++watch->count,
                          .stayed = elm_clock_seconds() - atomic_load(&watch->moved),
                          .every = watch_interval(watch->timeout)};
    snprintf(mine.phase, sizeof mine.phase, "%.31s", atomic_load(&watch->phase));
    path_of(watch, watch->rank, path);
    watch->beats |= elm_heartbeat_write(path, flags, &mine);
}

static elm_heartbeat heartbeat_of(const elm_watchdog *watch, int rank)
{
    char path[ELM_PATH_SIZE];
    if (!*watch->folder)
        return (elm_heartbeat){0};
    path_of(watch, rank, path);
    return elm_heartbeat_read(path);
}

void watch_forget_others(elm_watchdog *watch)
{
    elm_free(watch->seen);
    watch->seen = NULL;
}

/* What every heartbeat is now, to be compared with what it is later. */
void watch_look_at_others(elm_watchdog *watch)
{
    watch->seen = elm_alloc((size_t)watch->size, sizeof *watch->seen, NULL);
    watch->seen_at = elm_clock_seconds();
    for (int r = 0; watch->seen && r < watch->size; r++)
        watch->seen[r] = heartbeat_of(watch, r);
}

static bool is_silent(const elm_watchdog *watch, int rank, const elm_heartbeat *now)
{
    return !now->known || !watch->seen || !elm_heartbeat_differs(now, &watch->seen[rank]);
}

/* Whether a heartbeat shows that another rank has made progress within the timeout. */
bool watch_any_progress(const elm_watchdog *watch)
{
    for (int r = 0; r < watch->size; r++) {
        const elm_heartbeat theirs = heartbeat_of(watch, r);
        if (r != watch->rank && !is_silent(watch, r, &theirs) && theirs.stayed < watch->timeout)
            return true;
    }
    return false;
}

static void say_rank(const elm_watchdog *watch, int rank, const elm_heartbeat *seen, bool silent,
                     FILE *to)
{
    if (!seen->known) {
        fprintf(to, "  rank %d: no heartbeat\n", rank);
        return;
    }
    /* from a file that may have been written by others */
    char host[4 * sizeof seen->host], phase[4 * sizeof seen->phase];
    elm_text_escape(host, sizeof host, seen->host);
    elm_text_escape(phase, sizeof phase, seen->phase);
    fprintf(to, "  rank %d on %s: %s, step %lld, for %.1f s", rank, host, phase, seen->step,
            seen->stayed);
    if (silent)
        fprintf(to, ", no heartbeat for %.1f s or longer (stopped, dead or cut off)",
                elm_clock_seconds() - watch->seen_at);
    fputc('\n', to);
}

/* Ranks without a heartbeat come first; of more than SHOWN_MAX only the number. */
static void write_all_ranks(const elm_watchdog *watch, FILE *to)
{
    for (int silent = 1, shown = 0; silent >= 0; silent--) {
        int rest = 0;
        for (int r = 0; r < watch->size; r++) {
            const elm_heartbeat now = heartbeat_of(watch, r);
            if ((r != watch->rank && is_silent(watch, r, &now)) != silent)
                continue;
            if (shown++ < SHOWN_MAX)
                say_rank(watch, r, &now, silent, to);
            else
                rest++;
        }
        if (rest)
            fprintf(to, "  and %d more %s\n", rest, silent ? "without a heartbeat" : "that wait");
    }
}

void watch_say_stall(const elm_watchdog *watch, double waited, FILE *to)
{
    const long long step = (long long)atomic_load(&watch->step);
    fprintf(to, "%s: error: rank %d has been in %s", watch->program, watch->rank,
            atomic_load(&watch->phase));
    if (step > 0)
        fprintf(to, " of step %lld", step);
    if (*watch->about && watch->about_phase == atomic_load(&watch->phase)) {
        char about[4 * sizeof watch->about];
        elm_text_escape(about, sizeof about, watch->about);
        fprintf(to, " (%s)", about);
    }
    fprintf(to, " for %.1f s and no rank has made progress since", waited);
    if (*watch->folder) {
        fprintf(to,
                " (run.stall_timeout = %g s): the job ends here, --resume continues from the last "
                "checkpoint. Last seen:\n",
                watch->timeout);
        write_all_ranks(watch, to);
    } else if (watch->size > 1 || watch->launched) {
        fprintf(to,
                " (timeout: %g s; run.stall_timeout or ELMPI_STALL_TIMEOUT sets it): a rank has "
                "not reached this phase, or is stopped or cut off: "
                "look for it (ps -eo pid,stat,args on each host), then start the job again\n",
                watch->timeout);
    } else {
        fprintf(to,
                " (timeout: %g s; ELMPI_STALL_TIMEOUT sets it): what it waits for does not "
                "answer: look at that, then start it again\n",
                watch->timeout);
    }
    elm_shared_memory_tell_own(to);
    fflush(to);
}
