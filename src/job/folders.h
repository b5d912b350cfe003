/* Folders: where jobs are looked for by name. */
#ifndef ELMPI_JOB_FOLDERS_H
#define ELMPI_JOB_FOLDERS_H

#include "job/file.h"

enum { ELM_JOB_FOLDERS_MAX = 16 };

typedef struct elm_job_folders {
    char path[ELM_JOB_FOLDERS_MAX][ELM_JOB_PATH_SIZE];
    int count;
} elm_job_folders;

/** Those of ELMPI_JOBS, then that of the installed jobs: the first one that knows a name counts. */
void elm_job_folders_find(elm_job_folders *folders);

#endif
