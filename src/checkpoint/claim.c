#include "checkpoint/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file/io.h"
#include "base/process/clock.h"
#include "checkpoint/files.h"

enum { CLAIM_SIZE = 1024, WRITING_SECONDS = 5 };

/* The first word of a small file of the system; empty where there is none. */
static void read_word(const char *path, char *word, size_t size)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");
    if (file) {
        const size_t got = fread(text, 1, sizeof text - 1, file);
        text[got] = 0;
        fclose(file);
    }
    snprintf(word, size, "%.*s", (int)strcspn(text, " \n"), text);
}

/* Start time of a live process, 0 if there is none. Field 22 of its stat file; the name in field
 * 2 may hold spaces and brackets. */
static unsigned long long process_start(long pid)
{
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    const size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = 0;
    const char *rest = strrchr(text, ')');
    if (!rest || rest[1] != ' ' || strchr("ZXx", rest[2])) /* a zombie runs no more */
        return 0;
    rest += 2; /* field 3 */
    for (int field = 3; field < 22 && rest; field++) {
        rest = strchr(rest, ' ');
        rest = rest ? rest + 1 : NULL;
    }
    return rest ? strtoull(rest, NULL, 10) : 0;
}

elm_claim elm_claim_mine(int run)
{
    elm_claim claim = {.run = run, .pid = (long)getpid(), .complete = true};
    if (gethostname(claim.host, sizeof claim.host - 1) || !*claim.host)
        strcpy(claim.host, "-");
    read_word("/proc/sys/kernel/random/boot_id", claim.boot, sizeof claim.boot);
    claim.start = process_start(claim.pid);
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    snprintf(claim.job, sizeof claim.job, "%.*s", job ? (int)strcspn(job, " \n") : 1,
             job && *job ? job : "-");
    claim.restart = restart ? strtol(restart, NULL, 10) : 0;
    return claim;
}

static void path_of(const char *folder, int run, char *path)
{
    snprintf(path, ELM_PATH_SIZE, "%s/claim-%d", folder, run);
}

int elm_claim_create(const char *folder, const elm_claim *claim, bool *taken, elm_error *err)
{
    char path[ELM_PATH_SIZE], text[CLAIM_SIZE];
    path_of(folder, claim->run, path);
    *taken = false;
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EEXIST) {
        *taken = true;
        return 0;
    }
    if (fd < 0)
        return elm_file_failed("claim the run folder", path, errno, err);
    const int length =
        snprintf(text, sizeof text, "host %s\nboot %s\npid %ld\nstart %llu\njob %s\nrestart %ld\n",
                 claim->host, *claim->boot ? claim->boot : "-", claim->pid, claim->start,
                 claim->job, claim->restart);
    errno = 0;
    const bool written = write(fd, text, (size_t)length) == length && !fsync(fd);
    const int cause = errno ? errno : ENOSPC;
    close(fd);
    if (written)
        return 0;
    unlink(path);
    return elm_file_failed("claim the run folder", path, cause, err);
}

int elm_claim_read(const char *folder, int run, elm_claim *claim)
{
    char path[ELM_PATH_SIZE], text[CLAIM_SIZE], ended[8] = "";
    path_of(folder, run, path);
    FILE *file = fopen(path, "r");
    if (!file)
        return -1;
    const size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = 0;
    *claim = (elm_claim){.run = run};
    const int found = sscanf(
        text, "host %255s boot %63s pid %ld start %llu job %63s restart %ld %7s", claim->host,
        claim->boot, &claim->pid, &claim->start, claim->job, &claim->restart, ended);
    claim->complete = found >= 6 && text[got - 1] == '\n';
    claim->ended = !strcmp(ended, "ended");
    return 0;
}

/* A writer takes an instant for the few bytes, and is waited for; one that died in the middle
 * has ended. */
static bool is_being_written(const char *folder, elm_claim *theirs, elm_watchdog *watch)
{
    const int run = theirs->run;
    const double until = elm_clock_seconds() + WRITING_SECONDS;
    while (elm_clock_seconds() < until) {
        if (elm_claim_read(folder, run, theirs) || theirs->complete)
            return theirs->complete;
        elm_watchdog_heartbeat(watch);
        usleep(100000);
    }
    return false;
}

/* Another host's process cannot be examined here, but its heartbeats can. */
static bool heartbeat_is_alive(const char *folder, const elm_claim *theirs, elm_watchdog *watch,
                               const elm_log *log)
{
    const double seconds = elm_watchdog_listening_time(folder, theirs->run);
    if (seconds < 0)
        return true; /* for all that is known */
    if (log)
        elm_log_info(
            log,
            "Run %d was at work here, process %ld on %s: listening for %.0f s whether it still is.",
            theirs->run, theirs->pid, theirs->host, seconds);
    const bool lives = elm_watchdog_listen(folder, theirs->run, watch);
    if (log && !lives)
        elm_log_info(log, "No heartbeat of run %d: it has ended.", theirs->run);
    return lives;
}

bool elm_claim_is_live(const char *folder, const elm_claim *claim, const elm_claim *mine,
                       elm_watchdog *watch, const elm_log *log)
{
    elm_claim theirs = *claim;
    if (!theirs.complete && !is_being_written(folder, &theirs, watch))
        return false;
    if (theirs.ended)
        return false;
    const bool same_job = strcmp(mine->job, "-") && !strcmp(theirs.job, mine->job);
    if (same_job && mine->restart > theirs.restart)
        return false; /* the scheduler has put us into its place */
    if (strcmp(theirs.host, mine->host))
        return !same_job && heartbeat_is_alive(folder, &theirs, watch, log);
    if (*mine->boot && strcmp(theirs.boot, "-") && strcmp(theirs.boot, mine->boot))
        return false;
    return theirs.start && process_start(theirs.pid) == theirs.start;
}

void elm_claim_remove(const char *folder, const elm_claim *claim)
{
    char path[ELM_PATH_SIZE];
    path_of(folder, claim->run, path);
    unlink(path);
}

void elm_claim_end(const char *folder, const elm_claim *claim)
{
    char path[ELM_PATH_SIZE];
    path_of(folder, claim->run, path);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Without the mark the claim still ends with its process. */
    const ssize_t written = write(fd, "ended\n", 6);
    (void)written;
    close(fd);
}
