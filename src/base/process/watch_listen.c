/* Whether ranks of another run are alive, by their heartbeats in its folder. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/process/clock.h"
#include "base/process/heartbeat.h"
#include "elmpi/watchdog.h"

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

double elm_watchdog_listening_time(const char *folder, int run)
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

bool elm_watchdog_listen(const char *folder, int run, elm_watchdog *mine)
{
    int ranks[LISTENED_MAX];
    elm_heartbeat first[LISTENED_MAX];
    char path[ELM_PATH_SIZE];
    const int count = find_ranks(folder, run, ranks);
    const double until = elm_clock_seconds() + elm_watchdog_listening_time(folder, run);
    for (int i = 0; i < count; i++) {
        elm_heartbeat_path(folder, run, ranks[i], path);
        first[i] = elm_heartbeat_read(path);
    }
    while (elm_clock_seconds() < until) {
        usleep(200000);
        elm_watchdog_heartbeat(mine);
        for (int i = 0; i < count; i++) {
            elm_heartbeat_path(folder, run, ranks[i], path);
            const elm_heartbeat now = elm_heartbeat_read(path);
            if (elm_heartbeat_differs(&now, &first[i]))
                return true;
        }
    }
    return false;
}
