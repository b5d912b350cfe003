/* Compose: jobs that are a data set's set-up and a method, and no file of their own. */
#ifndef ELMPI_JOB_COMPOSE_H
#define ELMPI_JOB_COMPOSE_H

#include <stdbool.h>

#include "job/file.h"

enum { ELM_JOB_NAME_SIZE = 65 };

/** A set-up and a method, as the names of their files in setups/ and methods/ beside the job,
 * without ".ini". */
typedef struct elm_job_pair {
    char setup[ELM_JOB_NAME_SIZE], method[ELM_JOB_NAME_SIZE];
} elm_job_pair;

/** Whether `path`, folder/setup-method.ini, names a job whose set-up and method are both there.
 * Where the name can be cut in several ways, the longest set-up counts. */
bool elm_job_compose(const char *path, elm_job_pair *pair);

/** The text of that job: it includes the two files.
 *  Shape:  text [size] */
void elm_job_pair_text(const elm_job_pair *pair, char *text, size_t size);

#endif
