/* File: the text of a job file, whose file it is, and where a file that it names lies. */
#ifndef ELMPI_JOB_FILE_H
#define ELMPI_JOB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "elmpi/status.h"

enum { ELM_JOB_PATH_SIZE = 1000 };

/** A job file. Two names of one file have the same identity. */
typedef struct elm_job_file {
    char path[ELM_JOB_PATH_SIZE];
    bool named; /* its name says what it is: no pipe, nothing from memory */
    dev_t device;
    ino_t inode; /* 0: a text from memory */
} elm_job_file;

/** Reads file->path whole and fills in its identity. Where there is no such file but the set-up and
 * method of its name, reads what includes these two. `place` says where the file was named
 * ("a.ini:2"), NULL: on the command line.
 *  Owns:   *text to be freed with elm_free
 *  Errors: ELM_EXIT_USAGE: unreadable, a folder, larger than 1 MiB, or no text */
int elm_job_file_read(elm_job_file *file, const char *place, char **text, elm_error *err);

/** The file that the command line calls `given`: that path; else, where it is a mere name, the job
 * of this name, with or without .ini, in the working folder, in those of ELMPI_JOBS (separated by
 * colons), then among the installed ones, which are found from the program's place. In each folder
 * a file comes before a set-up and a method of that name, for which the path is no file.
 *  Errors: ELM_EXIT_USAGE: says where it has looked, and the nearest name */
int elm_job_find(const char *given, char path[ELM_JOB_PATH_SIZE], elm_error *err);

/** The path of a file that `from` calls `name`: absolute, or relative to the folder of `from`.
 * False where it is too long. */
bool elm_job_file_beside(const char *from, const char *name, char path[ELM_JOB_PATH_SIZE]);

#endif
