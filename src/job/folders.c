#include "job/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void add_folder(elm_job_folders *all, const char *path, size_t length)
{
    if (length > 0 && length < ELM_JOB_PATH_SIZE && all->count < ELM_JOB_FOLDERS_MAX)
        snprintf(all->path[all->count++], ELM_JOB_PATH_SIZE, "%.*s", (int)length, path);
}

/* ELM_JOBS_FROM_PROGRAM is relative to the program's folder, so that an installation can be moved;
 * a build folder has the same layout. */
static void add_installed(elm_job_folders *all)
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

void elm_job_folders_find(elm_job_folders *all)
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
