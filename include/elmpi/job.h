/* Job: job files (INI) and --set overrides, resolved against the modules' option rows. The only
 * parser of options. */
#ifndef ELMPI_JOB_H
#define ELMPI_JOB_H

#include <stdbool.h>

#include "elmpi/option.h"
#include "elmpi/status.h"

typedef struct elm_job elm_job;

/** Reads the job that `path` leads to, applies the overrides "section.key=value" in order, fills
 * the structs behind `sets` and resolves every default. A mere name that is no file here is looked
 * for, with or without .ini, in the folders of ELMPI_JOBS and among the installed jobs. A file may
 * begin with "[job] include = a.ini, b.ini" (relative to its own folder): it then says only what it
 * changes of these; where several say something, the last one counts. folder/a-b.ini that is no
 * file is folder/setups/a.ini and folder/methods/b.ini. "[job] data_set = cifar10-lt" names what
 * $data_set stands for in the paths that follow. "[job] setup = paper" declares what the file says
 * from there on as a set-up that elm_job_differences compares with.
 *  Owns:   the caller frees with elm_job_destroy; the sets' rows must outlive it
 *  Errors: ELM_EXIT_USAGE with file, line, cause and the nearest valid name for unknown keys or
 *          sections, bad values, values out of range, missing required keys, duplicate keys,
 *          includes that fail or lead back; nothing in `sets` is meaningful then */
int elm_job_load(elm_job **job, const char *path, const char *const *overrides, int override_count,
                 const elm_option_set *sets, int set_count, elm_error *err);

/** The same from memory; `name` stands for the file in messages. */
int elm_job_parse(elm_job **job, const char *text, const char *name, const char *const *overrides,
                  int override_count, const elm_option_set *sets, int set_count, elm_error *err);
void elm_job_destroy(elm_job *job);

/** Prints the jobs that can be started by name, each on a line with the first comment of its
 * method, or of its own file; with `quiet`, only looks for them.
 *  Errors: ELM_EXIT_FAILURE: none is found */
int elm_job_print_list(bool quiet, elm_error *err);

/** A comment that names the files which the job was read from, each before those that it includes;
 * "" where it was one. It may stand before the resolved text. */
const char *elm_job_origin(const elm_job *job);

/** The resolved job as INI text: every option with its value, in table order, sections in order of
 * appearance. Parsing it again gives the same options and the same text. */
const char *elm_job_text(const elm_job *job);

/** Notes for the user, such as keys that the chosen schedule does not use. NULL after the last. */
const char *elm_job_note(const elm_job *job, int i);

/** "differs from the paper's set-up: optim.epochs 30 (256), ..." where the job, overrides
 * included, does what its set-up does not; NULL: it differs in nothing, or declares no set-up.
 * The resolved text declares none. */
const char *elm_job_differences(const elm_job *job);

/** Compares two resolved texts. Keys starting with one of `allowed` (NULL-terminated prefixes) may
 * differ.
 *  Errors: ELM_EXIT_USAGE naming the first difference with both values */
int elm_job_compare(const char *before, const char *now, const char *const *allowed,
                    elm_error *err);

/** A path as the text of an ELM_OPTION_PATH option, in which $ and a leading ~ would mean
 * something else; for paths that the command line gave. Cut where it does not fit into `size`
 * bytes. Returns the whole length. */
size_t elm_path_escape(const char *path, char *text, size_t size);

/** Prints a paragraph of Markdown, or a list item where it begins with "- ", in lines of 100
 * columns. A span of code is not broken. */
void elm_markdown_print(const char *text);

/** Prints the rows that `wanted` picks as a Markdown list: option, values, default, help. Nothing
 * without any. */
void elm_option_print_list(const elm_option *rows,
                           bool (*wanted)(const elm_option *row, const void *context),
                           const void *context);

/** Prints the help of the rows: key, type or choices, default, text. */
void elm_option_print_help(const elm_option_set *sets, int set_count);

#endif
