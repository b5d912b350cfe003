/* Whether a checkpoint is the newest of its folder: who only reads does not claim the folder,
 * and does not mend it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file/io.h"
#include "checkpoint/folder_list.h"
#include "elmpi/checkpoint.h"
#include "elmpi/run_folder.h"

/* The newest whole one. */
static bool find_newest(const elm_folder_list *list, const char *folder,
                        elm_checkpoint_entry *newest)
{
    for (int i = 0; i < list->checkpoint_count; i++) {
        char path[ELM_PATH_SIZE + ELM_ENTRY_SIZE];
        snprintf(path, sizeof path, "%s/%s", folder, list->checkpoints[i].name);
        if (elm_checkpoint_verify(path, NULL))
            continue;
        *newest = list->checkpoints[i];
        return true;
    }
    return false;
}

/* By its name: a best checkpoint is not meant to be the newest. */
static bool is_named_best(const char *base)
{
    elm_checkpoint_entry entry;
    return !strcmp(base, "best.h5") || elm_best_entry_parse(base, &entry);
}

bool elm_run_folder_has_newer(const char *path, int64_t step, char *name, int capacity)
{
    elm_checkpoint_entry newest, ours;
    elm_folder_list list;
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    char folder[ELM_PATH_SIZE] = ".", *real = realpath(path, NULL);
    if (slash)
        snprintf(folder, sizeof folder, "%.*s", slash > path ? (int)(slash - path) : 1, path);
    const char *real_slash = real ? strrchr(real, '/') : NULL;
    const bool is_link = real_slash && elm_checkpoint_entry_parse(real_slash + 1, &ours);
    bool newer = false;
    if (real && !elm_checkpoint_entry_parse(base, &newest) && !is_named_best(base) &&
        !elm_folder_list_read(folder, &list, NULL)) {
        newer =
            find_newest(&list, folder, &newest) &&
            (is_link ? newest.run > ours.run || (newest.run == ours.run && newest.step > ours.step)
                     : newest.step > step);
        if (newer)
            snprintf(name, (size_t)capacity, "%s", newest.name);
        elm_folder_list_free(&list);
    }
    free(real);
    return newer;
}
