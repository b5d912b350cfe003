/* The list of jobs for people. */
#include <stdio.h>
#include <string.h>

#include "elmpi/job.h"
#include "elmpi/memory.h"
#include "job/names.h"

enum { LINE_SIZE = 512 };

/* What the comment says that the file begins with, or "". */
static void first_comment(const char *path, char text[LINE_SIZE])
{
    FILE *file = fopen(path, "r");
    *text = 0;
    if (!file)
        return;
    if (fgets(text, LINE_SIZE, file) && (*text == ';' || *text == '#')) {
        const size_t skip = 1 + strspn(text + 1, " \t");
        memmove(text, text + skip, strlen(text + skip) + 1);
    } else {
        *text = 0;
    }
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = c[1] ? '?' : 0;
    fclose(file);
}

/* A file's own comment, or that of the method. */
static void print_name(const elm_job_folders *folders, const elm_job_name *name, int width)
{
    char path[ELM_JOB_PATH_SIZE + ELM_JOB_NAME_SIZE + 16], about[LINE_SIZE];
    snprintf(path, sizeof path, "%s/%s%s.ini", folders->path[name->folder],
             *name->method ? "methods/" : "", *name->method ? name->method : name->name);
    first_comment(path, about);
    printf("%-*s%s%s\n", *about ? width : 0, name->name, *about ? "  " : "", about);
}

int elm_job_print_list(bool quiet, elm_error *err)
{
    elm_job_folders folders;
    elm_job_names names;
    int width = 0;
    elm_job_folders_find(&folders);
    if (elm_job_names_find(&names, &folders, err))
        return -1;
    for (int i = 0; i < names.count; i++)
        if ((int)strlen(names.all[i].name) > width)
            width = (int)strlen(names.all[i].name);
    for (int i = 0; i < names.count && !quiet; i++)
        print_name(&folders, &names.all[i], width);
    const bool found = names.count > 0;
    elm_free(names.all);
    return found ? 0
                 : elm_error_set(err, ELM_EXIT_FAILURE,
                                 "no jobs are installed beside the program (--list-jobs): name a "
                                 "folder of jobs in ELMPI_JOBS");
}
