#include "base/process/heartbeat.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file/io.h"

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
