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

#endif
