/* Where a job's name leads: to the file of that name, to a set-up and a method, or to a job of the
 * installed ones. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elmpi/memory.h"
#include "job/names.h"

enum { TEXT_SIZE = 640 };
static const char ending[] = ".ini";

static bool is_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

/* folder/name or folder/name.ini; the folder "" is the working one. */
static bool is_in(const char *folder, const char *name, char path[ELM_JOB_PATH_SIZE])
{
    const char *const forms[] = {"", ending};
    const char *slash = *folder ? "/" : "";
    elm_job_pair pair;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (snprintf(path, ELM_JOB_PATH_SIZE, "%s%s%s%s", folder, slash, name, forms[i]) <
                ELM_JOB_PATH_SIZE &&
            is_file(path))
            return true;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (snprintf(path, ELM_JOB_PATH_SIZE, "%s%s%s%s", folder, slash, name, forms[i]) <
                ELM_JOB_PATH_SIZE &&
            elm_job_compose(path, &pair))
            return true;
    return false;
}

/* The job in these folders whose name is nearest, or "". */
static void find_nearest(const elm_job_folders *folders, const char *name,
                         char nearest[ELM_JOB_NAME_SIZE])
{
    char stem[ELM_JOB_NAME_SIZE];
    elm_job_names names;
    *nearest = 0;
    size_t length = strlen(name);
    if (length > strlen(ending) && !strcmp(name + length - strlen(ending), ending))
        length -= strlen(ending);
    if (length >= sizeof stem || elm_job_names_find(&names, folders, NULL))
        return;
    snprintf(stem, sizeof stem, "%.*s", (int)length, name);
    elm_job_names_nearest(&names, stem, nearest);
    elm_free(names.all);
}

static int refuse_path(const elm_job_folders *all, const char *given, const char *name,
                       elm_error *err)
{
    char nearest[ELM_JOB_NAME_SIZE];
    const int folder = (int)(name - given);
    elm_job_folders own = {.count = 1};
    if (snprintf(own.path[0], sizeof own.path[0], "%.*s", folder, given) <
        (int)sizeof own.path[0]) {
        find_nearest(&own, name, nearest);
        if (*nearest)
            return elm_error_set(err, ELM_EXIT_USAGE,
                                 "cannot read the job file (%.300s): %s: did you mean %.*s%s.ini?",
                                 given, strerror(ENOENT), folder < 300 ? folder : 300, given,
                                 nearest);
    }
    find_nearest(all, name, nearest);
    return elm_error_set(err, ELM_EXIT_USAGE, "cannot read the job file (%.300s): %s%s%s%s", given,
                         strerror(ENOENT), *nearest ? "; the name alone, " : "", nearest,
                         *nearest ? ", finds an installed job" : "");
}

static int refuse_name(const elm_job_folders *all, const char *given, elm_error *err)
{
    char looked[TEXT_SIZE] = "", nearest[ELM_JOB_NAME_SIZE];
    size_t used = 0;
    find_nearest(all, given, nearest);
    for (int f = 0; f < all->count && used < sizeof looked; f++)
        used += (size_t)snprintf(looked + used, sizeof looked - used, ", %s", all->path[f]);
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "there is no job %.100s (looked for %.100s and %.100s.ini in the working folder%s): %s%s%s",
        given, given, given, looked,
        *nearest ? "did you mean "
                 : "give the path of a job file, or name its folder in ELMPI_JOBS",
        nearest, *nearest ? "?" : "; --list-jobs lists all");
}

int elm_job_find(const char *given, char path[ELM_JOB_PATH_SIZE], elm_error *err)
{
    elm_job_folders all;
    elm_job_pair pair;
    const char *slash = strrchr(given, '/');
    if (snprintf(path, ELM_JOB_PATH_SIZE, "%s", given) >= ELM_JOB_PATH_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the path is too long (%.300s...): use a shorter one for the job file",
                             given);
    if (is_file(given) || (errno != ENOENT && errno != ENOTDIR && slash) ||
        (slash && elm_job_compose(given, &pair)))
        return 0;
    elm_job_folders_find(&all);
    if (!slash) {
        bool found = is_in("", given, path);
        for (int f = 0; f < all.count && !found; f++)
            found = is_in(all.path[f], given, path);
        if (found)
            return 0;
    }
    snprintf(path, ELM_JOB_PATH_SIZE, "%s", given);
    if (access(given, F_OK) == 0)
        return 0; /* a folder: reading it says so */
    return slash ? refuse_path(&all, given, slash + 1, err) : refuse_name(&all, given, err);
}
