/* Names: the jobs that can be started by name, and the folders where they are looked for. */
#ifndef ELMPI_JOB_NAMES_H
#define ELMPI_JOB_NAMES_H

#include "job/compose.h"
#include "job/file.h"

enum { ELM_JOB_FOLDERS_MAX = 16 };

typedef struct elm_job_folders {
    char path[ELM_JOB_FOLDERS_MAX][ELM_JOB_PATH_SIZE];
    int count;
} elm_job_folders;

/** Those of ELMPI_JOBS, then that of the installed jobs: the first one that knows a name counts. */
void elm_job_folders_find(elm_job_folders *folders);

typedef struct elm_job_name {
    char name[ELM_JOB_NAME_SIZE], method[ELM_JOB_NAME_SIZE]; /* "": a file of its own */
    int folder;                                              /* place among the folders */
} elm_job_name;

typedef struct elm_job_names {
    elm_job_name *all;
    int count;
} elm_job_names;

/** The names in these folders, in alphabetical order, each once, in the first folder that has it.
 * Folders that cannot be read have none.
 *  Owns:   names->all, to be freed with elm_free */
int elm_job_names_find(elm_job_names *names, const elm_job_folders *folders, elm_error *err);

/** The name nearest to `stem`, or "". */
void elm_job_names_nearest(const elm_job_names *names, const char *stem,
                           char nearest[ELM_JOB_NAME_SIZE]);

#endif
