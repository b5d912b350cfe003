#include "base/process/heartbeat.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file/io.h"
#include "elmpi/watch.h"

void elm_heartbeat_path(const char *folder, int run, int rank, char *path)
{
    snprintf(path, ELM_PATH_SIZE, "%.4000s/heartbeat-%d-%d", folder, run, rank);
}

/* One line of fixed length, so that a reader never sees a part of it. Closed each time: only
 * then does a network file system show it to others. */
bool elm_heartbeat_write(const char *path, int flags, const elm_heartbeat *beat)
{
    char host[64] = "", text[ELM_HEARTBEAT_SIZE], line[ELM_HEARTBEAT_SIZE + 1];
    gethostname(host, sizeof host - 1);
    snprintf(text, sizeof text,
             "step %lld phase %.31s seconds %.1f host %.63s pid %ld count %lld every %.1f",
             beat->step, beat->phase, beat->stayed, *host ? host : "-", (long)getpid(), beat->count,
             beat->every);
    snprintf(line, sizeof line, "%-*s\n", ELM_HEARTBEAT_SIZE - 1, text);
    const int file = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
    if (file < 0)
        return false;
    const bool written = pwrite(file, line, ELM_HEARTBEAT_SIZE, 0) == ELM_HEARTBEAT_SIZE;
    close(file);
    return written;
}

elm_heartbeat elm_heartbeat_read(const char *path)
{
    char line[ELM_HEARTBEAT_SIZE + 1] = "";
    elm_heartbeat beat = {0};
    const int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return beat;
    const ssize_t got = pread(file, line, ELM_HEARTBEAT_SIZE, 0);
    close(file);
    beat.known =
        got > 0 &&
        sscanf(line, "step %lld phase %31s seconds %lf host %63s pid %*d count %lld every %lf",
               &beat.step, beat.phase, &beat.stayed, beat.host, &beat.count, &beat.every) == 6;
    return beat;
}

bool elm_heartbeat_differs(const elm_heartbeat *a, const elm_heartbeat *b)
{
    return a->known != b->known || a->count != b->count || a->step != b->step ||
           a->stayed != b->stayed;
}

enum { LISTENED_MAX = 16 };

/* Ranks of that run whose heartbeats lie in the folder, at most so many. */
static int find_ranks(const char *folder, int run, int ranks[LISTENED_MAX])
{
    DIR *list = opendir(folder);
    int count = 0;
    for (const struct dirent *entry; list && count < LISTENED_MAX && (entry = readdir(list));) {
        int its_run, rank, used = 0;
        if (sscanf(entry->d_name, "heartbeat-%d-%d%n", &its_run, &rank, &used) == 2 &&
            its_run == run && !entry->d_name[used])
            ranks[count++] = rank;
    }
    if (list)
        closedir(list);
    return count;
}

double elm_watch_listening_time(const char *folder, int run)
{
    int ranks[LISTENED_MAX];
    const int count = find_ranks(folder, run, ranks);
    double every = -1;
    for (int i = 0; i < count; i++) {
        char path[ELM_PATH_SIZE];
        elm_heartbeat_path(folder, run, ranks[i], path);
        const elm_heartbeat beat = elm_heartbeat_read(path);
        if (beat.known && beat.every > every)
            every = beat.every;
    }
    return every < 0 ? -1 : 3 * (every < 60 ? every : 60) + 1;
}

bool elm_watch_listen(const char *folder, int run, elm_watch *mine)
{
    int ranks[LISTENED_MAX];
    elm_heartbeat first[LISTENED_MAX];
    char path[ELM_PATH_SIZE];
    const int count = find_ranks(folder, run, ranks);
    const double until = elm_io_seconds() + elm_watch_listening_time(folder, run);
    for (int i = 0; i < count; i++) {
        elm_heartbeat_path(folder, run, ranks[i], path);
        first[i] = elm_heartbeat_read(path);
    }
    while (elm_io_seconds() < until) {
        usleep(200000);
        elm_watch_tick(mine);
        for (int i = 0; i < count; i++) {
            elm_heartbeat_path(folder, run, ranks[i], path);
            const elm_heartbeat now = elm_heartbeat_read(path);
            if (elm_heartbeat_differs(&now, &first[i]))
                return true;
        }
    }
    return false;
}
