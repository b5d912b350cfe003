#include "job/names.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "elmpi/job.h"
#include "elmpi/memory.h"

/* The job files of a folder. */
typedef struct listing {
    struct dirent **entry;
    int count;
} listing;

/* A folder's own jobs, set-ups and methods. */
enum { OWN, SETUPS, METHODS, KINDS };
static const char *const kinds[KINDS] = {"", "/setups", "/methods"};

static size_t stem_length(const struct dirent *entry)
{
    const size_t length = strlen(entry->d_name);
    return length > 4 && !strcmp(entry->d_name + length - 4, ".ini") ? length - 4 : 0;
}

static int is_job(const struct dirent *entry)
{
    const size_t length = stem_length(entry);
    return length > 0 && length < ELM_JOB_NAME_SIZE;
}

static void list_folder(const char *folder, listing lists[KINDS])
{
    char path[ELM_JOB_PATH_SIZE + 16];
    for (int k = 0; k < KINDS; k++) {
        snprintf(path, sizeof path, "%s%s", folder, kinds[k]);
        lists[k].count = scandir(path, &lists[k].entry, is_job, NULL);
        if (lists[k].count < 0)
            lists[k] = (listing){0};
    }
}

static void free_lists(listing lists[KINDS])
{
    for (int k = 0; k < KINDS; k++) {
        for (int i = 0; i < lists[k].count; i++)
            free(lists[k].entry[i]);
        free(lists[k].entry);
    }
}

static void add_own(elm_job_names *names, int folder, const struct dirent *entry)
{
    elm_job_name *n = &names->all[names->count++];
    *n = (elm_job_name){.folder = folder};
    memcpy(n->name, entry->d_name, stem_length(entry));
}

static void add_pair(elm_job_names *names, int folder, const struct dirent *setup,
                     const struct dirent *method)
{
    elm_job_name *n = &names->all[names->count];
    const int setup_length = (int)stem_length(setup), method_length = (int)stem_length(method);
    *n = (elm_job_name){.folder = folder};
    memcpy(n->method, method->d_name, (size_t)method_length);
    if (snprintf(n->name, sizeof n->name, "%.*s-%s", setup_length, setup->d_name, n->method) <
        (int)sizeof n->name)
        names->count++;
}

static void add_names(elm_job_names *names, int folder, const listing lists[KINDS])
{
    for (int i = 0; i < lists[OWN].count; i++)
        add_own(names, folder, lists[OWN].entry[i]);
    for (int s = 0; s < lists[SETUPS].count; s++)
        for (int m = 0; m < lists[METHODS].count; m++)
            add_pair(names, folder, lists[SETUPS].entry[s], lists[METHODS].entry[m]);
}

/* By name; what is found first comes first: an earlier folder, a file before a pair, a longer
 * set-up. */
static int compare(const void *left, const void *right)
{
    const elm_job_name *a = left, *b = right;
    const int order = strcmp(a->name, b->name);
    if (order)
        return order;
    return a->folder != b->folder ? a->folder - b->folder
                                  : (int)strlen(a->method) - (int)strlen(b->method);
}

static void sort(elm_job_names *names)
{
    int kept = 0;
    qsort(names->all, (size_t)names->count, sizeof *names->all, compare);
    for (int i = 0; i < names->count; i++)
        if (!kept || strcmp(names->all[kept - 1].name, names->all[i].name) != 0)
            names->all[kept++] = names->all[i];
    names->count = kept;
}

int elm_job_names_find(elm_job_names *names, const elm_job_folders *folders, elm_error *err)
{
    listing lists[ELM_JOB_FOLDERS_MAX][KINDS];
    size_t most = 1;
    *names = (elm_job_names){0};
    for (int f = 0; f < folders->count; f++) {
        list_folder(folders->path[f], lists[f]);
        most += (size_t)lists[f][OWN].count +
                (size_t)lists[f][SETUPS].count * (size_t)lists[f][METHODS].count;
    }
    names->all = elm_alloc(most, sizeof *names->all, err);
    for (int f = 0; f < folders->count; f++) {
        if (names->all)
            add_names(names, f, lists[f]);
        free_lists(lists[f]);
    }
    if (!names->all)
        return -1;
    sort(names);
    return 0;
}

void elm_job_names_nearest(const elm_job_names *names, const char *stem,
                           char nearest[ELM_JOB_NAME_SIZE])
{
    const char **pointers = elm_alloc((size_t)names->count + 1, sizeof *pointers, NULL);
    *nearest = 0;
    for (int i = 0; pointers && i < names->count; i++)
        pointers[i] = names->all[i].name;
    const char *found = pointers ? elm_nearest_name(stem, pointers, names->count) : NULL;
    if (found)
        snprintf(nearest, ELM_JOB_NAME_SIZE, "%s", found);
    elm_free(pointers);
}
