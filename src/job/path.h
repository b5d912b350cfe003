/* Path: options that name files and folders. A job file and --set may write $VAR, ${VAR}, ~ and
 * ~user in them. */
#ifndef ELMPI_JOB_PATH_H
#define ELMPI_JOB_PATH_H

#include <stddef.h>

#include "elmpi/option.h"

/** `text` with variables and a leading ~ replaced; $$ stands for a dollar sign. `place` says where
 * the text stands.
 *  Shape:  path [ELM_TEXT_SIZE]
 *  Errors: ELM_EXIT_USAGE naming the variable or user: not set, empty, unknown; a $ that begins
 *          no name; too long */
int elm_path_expand(const elm_option *row, const char *text, const char *place, char *path,
                    elm_error *err);

/** `text` with $data_set and ${data_set} replaced by the data set's name, which is NULL where no
 * file has declared one: then an environment variable of that name is left to elm_path_expand.
 *  Shape:  out [ELM_TEXT_SIZE]
 *  Errors: ELM_EXIT_USAGE: the name is needed and there is none; too long */
int elm_path_name_data_set(const elm_option *row, const char *text, const char *data_set,
                           const char *place, char *out, elm_error *err);

#endif
