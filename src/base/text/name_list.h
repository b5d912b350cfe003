/* Name list: a text file of names, one a line. */
#ifndef ELMPI_BASE_TEXT_NAME_LIST_H
#define ELMPI_BASE_TEXT_NAME_LIST_H

#include "elmpi/status.h"

/** Reads exactly `count` names of classes in UTF-8, class 0 first; a byte-order mark and blanks at
 * a line's end are no part of them.
 *  Owns:   *names is one block, to be freed with elm_free
 *  Errors: ELM_EXIT_USAGE: a file that cannot be read, another number of lines, a blank one, one
 *          that is no UTF-8 */
int elm_name_list_read(const char *path, int count, char ***names, elm_error *err);

#endif
