#include "checkpoint/folder_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/claim.h"
#include "checkpoint/files.h"
#include "elmpi/memory.h"

/* Of the name <kind>-<run>-<step>.h5. */
static bool parse_entry(const char *kind, const char *name, elm_checkpoint_entry *entry)
{
    long long step;
    const size_t length = strlen(kind);
    if (strncmp(name, kind, length) != 0 ||
        sscanf(name + length, "-%d-%lld.h5", &entry->run, &step) != 2 || entry->run < 1 ||
        entry->run > ELM_RUN_MAX || step < 0)
        return false;
    entry->step = step;
    snprintf(entry->name, sizeof entry->name, "%s-%d-%lld.h5", kind, entry->run, step);
    return !strcmp(name, entry->name);
}

bool elm_checkpoint_entry_parse(const char *name, elm_checkpoint_entry *entry)
{
    return parse_entry("checkpoint", name, entry);
}

bool elm_best_entry_parse(const char *name, elm_checkpoint_entry *entry)
{
    return parse_entry("best", name, entry);
}

static bool parse_claim(const char *name, int *run)
{
    char exact[ELM_ENTRY_SIZE];
    if (sscanf(name, "claim-%d", run) != 1 || *run < 1 || *run > ELM_RUN_MAX)
        return false;
    snprintf(exact, sizeof exact, "claim-%d", *run);
    return !strcmp(name, exact);
}

static bool is_trace(const char *name)
{
    static const char *const files[] = {"checkpoint.h5", "best.h5", "job.ini", "metrics.csv"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strcmp(name, files[i]))
            return true;
    return false;
}

static int newest_first(const void *a, const void *b)
{
    const elm_checkpoint_entry *x = a, *y = b;
    if (x->run != y->run)
        return x->run < y->run ? 1 : -1;
    return (x->step < y->step) - (x->step > y->step);
}

/* Notes one entry; with room for one only counts. */
static void take(elm_folder_list *list, const char *name, int checkpoint_room, int claim_room)
{
    elm_checkpoint_entry checkpoint, best;
    int run;
    bool trace = is_trace(name);
    if (elm_checkpoint_entry_parse(name, &checkpoint)) {
        if (list->checkpoint_count < checkpoint_room)
            list->checkpoints[list->checkpoint_count] = checkpoint;
        list->checkpoint_count++;
        trace = true;
    } else if (elm_best_entry_parse(name, &best)) {
        list->best_run = best.run > list->best_run ? best.run : list->best_run;
        trace = true;
    } else if (parse_claim(name, &run)) {
        if (list->claim_count < claim_room)
            list->claims[list->claim_count] = run;
        list->claim_count++;
        trace = true;
    }
    if (trace && !*list->trace)
        snprintf(list->trace, sizeof list->trace, "%.63s", name);
}

/* Calls take for all entries. */
static void walk(DIR *folder, elm_folder_list *list, int checkpoint_room, int claim_room)
{
    rewinddir(folder);
    list->checkpoint_count = list->claim_count = 0;
    for (const struct dirent *entry; (entry = readdir(folder));)
        take(list, entry->d_name, checkpoint_room, claim_room);
}

int elm_folder_list_read(const char *path, elm_folder_list *list, elm_error *err)
{
    *list = (elm_folder_list){0};
    DIR *folder = opendir(path);
    if (!folder)
        return elm_file_failed("read the run folder", path, errno, err);
    walk(folder, list, 0, 0);
    /* Some room beyond the count: others may add entries between the two walks. */
    const int checkpoint_room = list->checkpoint_count + 16, claim_room = list->claim_count + 16;
    list->checkpoints = elm_alloc((size_t)checkpoint_room, sizeof *list->checkpoints, err);
    list->claims = elm_alloc((size_t)claim_room, sizeof *list->claims, err);
    const bool good = list->checkpoints && list->claims;
    if (good)
        walk(folder, list, checkpoint_room, claim_room);
    closedir(folder);
    if (!good)
        return -1;
    if (list->checkpoint_count > checkpoint_room)
        list->checkpoint_count = checkpoint_room;
    if (list->claim_count > claim_room)
        list->claim_count = claim_room;
    qsort(list->checkpoints, (size_t)list->checkpoint_count, sizeof *list->checkpoints,
          newest_first);
    return 0;
}

void elm_folder_list_free(elm_folder_list *list)
{
    elm_free(list->checkpoints);
    elm_free(list->claims);
    *list = (elm_folder_list){0};
}

int elm_folder_list_highest(const elm_folder_list *list)
{
    int highest = list->checkpoint_count ? list->checkpoints[0].run : 0;
    highest = list->best_run > highest ? list->best_run : highest;
    for (int i = 0; i < list->claim_count; i++)
        highest = list->claims[i] > highest ? list->claims[i] : highest;
    return highest;
}

/* <file of a run>.tmp-<number>, or the heartbeat of a rank that did not end well. */
static bool is_left_over(const char *name)
{
    static const char *const files[] = {"checkpoint", "best", "job.ini", "metrics.csv",
                                        "evaluation.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (!strncmp(name, files[i], strlen(files[i])) && strstr(name, ".tmp-"))
            return true;
    return !strncmp(name, "heartbeat-", 10);
}

void elm_folder_clean(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (is_left_over(entry->d_name))
            unlinkat(dirfd(folder), entry->d_name, 0); /* what cannot be removed does no harm */
    closedir(folder);
}
