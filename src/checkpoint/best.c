/* The best checkpoints of a run folder. More than one is there while the newest is of a later step
 * than every checkpoint: a run resumed from one of those chooses among the earlier ones. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file/io.h"
#include "checkpoint/folder_list.h"

bool elm_folder_find_best(const char *folder, int run, int64_t step, elm_checkpoint_entry *best)
{
    DIR *files = opendir(folder);
    elm_checkpoint_entry entry;
    best->run = 0;
    if (!files)
        return false;
    for (const struct dirent *file; (file = readdir(files));)
        if (elm_best_entry_parse(file->d_name, &entry) && entry.step == step && entry.run <= run &&
            entry.run > best->run)
            *best = entry;
    closedir(files);
    return best->run > 0;
}

bool elm_folder_linked_best(const char *folder, elm_checkpoint_entry *best)
{
    char link[ELM_PATH_SIZE], target[ELM_ENTRY_SIZE];
    snprintf(link, sizeof link, "%s/best.h5", folder);
    const ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    return elm_best_entry_parse(target, best) && !access(link, F_OK);
}

void elm_folder_delete_other_best(const char *folder, const elm_checkpoint_entry *best)
{
    DIR *files = opendir(folder);
    elm_checkpoint_entry entry;
    if (!files)
        return;
    for (const struct dirent *file; (file = readdir(files));)
        if (elm_best_entry_parse(file->d_name, &entry) && strcmp(file->d_name, best->name) != 0)
            unlinkat(dirfd(files), file->d_name, 0);
    closedir(files);
}
