/* INI: the entries of an INI text one by one, with their line numbers. The only user of inih. */
#ifndef ELMPI_JOB_INI_H
#define ELMPI_JOB_INI_H

#include "elmpi/status.h"

/** "key = value" under [section]. Borrowed for the call that it is handed to. */
typedef struct elm_ini_entry {
    const char *section, *key, *value;
    int line; /* from 1 */
} elm_ini_entry;

/** Returns 0 to go on, or -1 with `err` filled, which ends the reading. */
typedef int (*elm_ini_entry_taker)(void *context, const elm_ini_entry *entry, elm_error *err);

/** Hands every entry of `text` to `take`. Comments ("; ...", "# ...", and " ;" after a value), a
 * byte-order mark, CR LF and indentation are no part of entries.
 *  Errors: ELM_EXIT_USAGE with `name` and line for the first line that is no section, entry or
 *          comment; what `take` returned */
int elm_ini_read(const char *text, const char *name, elm_ini_entry_taker take, void *context,
                 elm_error *err);

#endif
