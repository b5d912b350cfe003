/* Where a job's name leads: to the file of that name, or to a job of the installed ones. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "job/file.h"

enum { FOLDERS_MAX = 16, NAMES_MAX = 1024, NAME_SIZE = 65, TEXT_SIZE = 640 };
static const char ending[] = ".ini";

/* Where named jobs are looked for, in this order. */
typedef struct folders {
    char path[FOLDERS_MAX][ELM_JOB_PATH_SIZE];
    int count;
} folders;

static bool is_file(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && !S_ISDIR(about.st_mode);
}

static void add_folder(folders *all, const char *path, size_t length)
{
    if (length > 0 && length < ELM_JOB_PATH_SIZE && all->count < FOLDERS_MAX)
        snprintf(all->path[all->count++], ELM_JOB_PATH_SIZE, "%.*s", (int)length, path);
}

/* ELM_JOBS_FROM_PROGRAM is relative to the program's folder, so that an installation can be
 * moved; a build folder has the same layout. */
static void add_installed(folders *all)
{
    char program[ELM_JOB_PATH_SIZE], path[ELM_JOB_PATH_SIZE + sizeof ELM_JOBS_FROM_PROGRAM + 1];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return;
    program[length] = 0;
    char *slash = strrchr(program, '/');
    if (!slash)
        return;
    *slash = 0;
    snprintf(path, sizeof path, "%s/%s", program, ELM_JOBS_FROM_PROGRAM);
    char *real = realpath(path, NULL);
    if (real)
        add_folder(all, real, strlen(real));
    free(real);
}

static void list_folders(folders *all)
{
    const char *own = getenv("ELMPI_JOBS");
    all->count = 0;
    for (const char *at = own; at && *at; at += *at == ':') {
        const size_t length = strcspn(at, ":");
        add_folder(all, at, length);
        at += length;
    }
    add_installed(all);
}

/* folder/name or folder/name.ini; the folder "" is the working one. */
static bool is_in(const char *folder, const char *name, char path[ELM_JOB_PATH_SIZE])
{
    const char *const forms[] = {"", ending};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (snprintf(path, ELM_JOB_PATH_SIZE, "%s%s%s%s", folder, *folder ? "/" : "", name,
                     forms[i]) < ELM_JOB_PATH_SIZE &&
            is_file(path))
            return true;
    return false;
}

/* The job in these folders whose name is nearest, or "". */
static void find_nearest(const folders *all, const char *name, char nearest[NAME_SIZE])
{
    static const char *const no_name[] = {""};
    char stem[NAME_SIZE];
    *nearest = 0;
    size_t length = strlen(name);
    if (length > strlen(ending) && !strcmp(name + length - strlen(ending), ending))
        length -= strlen(ending);
    if (length >= sizeof stem)
        return;
    snprintf(stem, sizeof stem, "%.*s", (int)length, name);
    char(*names)[NAME_SIZE] = calloc(NAMES_MAX, sizeof *names);
    const char **pointers = calloc(NAMES_MAX, sizeof *pointers);
    int count = 0;
    for (int f = 0; names && pointers && f < all->count; f++) {
        DIR *folder = opendir(all->path[f]);
        for (const struct dirent *entry;
             folder && count < NAMES_MAX && (entry = readdir(folder));) {
            const size_t size = strlen(entry->d_name);
            if (size <= strlen(ending) || size - strlen(ending) >= NAME_SIZE ||
                strcmp(entry->d_name + size - strlen(ending), ending))
                continue;
            snprintf(names[count], NAME_SIZE, "%.*s", (int)(size - strlen(ending)), entry->d_name);
            pointers[count] = names[count];
            count++;
        }
        if (folder)
            closedir(folder);
    }
    const char *found = elm_nearest_name(stem, count > 0 ? pointers : no_name, count);
    if (found)
        snprintf(nearest, NAME_SIZE, "%s", found);
    free(pointers);
    free(names);
}

static int refuse(const folders *all, const char *given, elm_error *err)
{
    char looked[TEXT_SIZE] = "", nearest[NAME_SIZE];
    const char *slash = strrchr(given, '/');
    size_t used = 0;
    find_nearest(all, slash ? slash + 1 : given, nearest);
    for (int f = 0; !slash && f < all->count && used < sizeof looked; f++)
        used += (size_t)snprintf(looked + used, sizeof looked - used, ", %s", all->path[f]);
    if (slash)
        return elm_error_set(err, ELM_EXIT_USAGE, "cannot read the job file (%.300s): %s%s%s%s",
                             given, strerror(ENOENT), *nearest ? "; the name alone, " : "", nearest,
                             *nearest ? ", finds an installed job" : "");
    return elm_error_set(
        err, ELM_EXIT_USAGE,
        "there is no job %.100s (looked for %.100s and %.100s.ini in the working folder%s): %s%s%s",
        given, given, given, looked,
        *nearest ? "did you mean "
                 : "give the path of a job file, or name its folder in ELMPI_JOBS",
        nearest, *nearest ? "?" : "");
}

int elm_job_find(const char *given, char path[ELM_JOB_PATH_SIZE], elm_error *err)
{
    folders all;
    if (snprintf(path, ELM_JOB_PATH_SIZE, "%s", given) >= ELM_JOB_PATH_SIZE)
        return elm_error_set(err, ELM_EXIT_USAGE,
                             "the path is too long (%.300s...): use a shorter one for the job file",
                             given);
    if (is_file(given) || (errno != ENOENT && errno != ENOTDIR && strchr(given, '/')))
        return 0;
    list_folders(&all);
    if (!strchr(given, '/')) {
        bool found = is_in("", given, path);
        for (int f = 0; f < all.count && !found; f++)
            found = is_in(all.path[f], given, path);
        if (found)
            return 0;
    }
    snprintf(path, ELM_JOB_PATH_SIZE, "%s", given);
    /* a folder: reading it says so */
    return access(given, F_OK) == 0 ? 0 : refuse(&all, given, err);
}
