/* Link table: the files of an archive and its links, and which files are reached through them. */
#ifndef ELMPI_PREPARE_FOLDERS_LINK_TABLE_H
#define ELMPI_PREPARE_FOLDERS_LINK_TABLE_H

#include <stdint.h>

#include "elmpi/status.h"

typedef struct elm_link_table elm_link_table;

/** Owns:   the caller destroys */
int elm_link_table_create(elm_link_table **table, elm_error *err);
void elm_link_table_destroy(elm_link_table *table);

/** A file's path; a link's path and where it leads. Copied. */
int elm_link_table_add_file(elm_link_table *table, const char *path, elm_error *err);
int elm_link_table_add_link(elm_link_table *table, const char *path, const char *target,
                            elm_error *err);
/** Files of the table, in order once it is sorted; links. */
int64_t elm_link_table_files(const elm_link_table *table);
const char *const *elm_link_table_list(const elm_link_table *table);
const char *elm_link_table_file(const elm_link_table *table, int64_t i);
int64_t elm_link_table_links(const elm_link_table *table);

/** Sorts what has been added. */
void elm_link_table_sort(elm_link_table *table);

/** Told of each path that links lead to: `path` is where the link (or what lies in a linked
 * folder) seems to be, `real` the file that it is, or NULL with the reason why it is none.
 * Returns 0, or -1 with err to end. */
typedef int (*elm_link_taker)(void *context, const char *path, const char *real,
                              const char *problem, elm_error *err);

/** Follows all links of a sorted table. Links in chains are followed to their end; a folder that
 * is a link stands for all files in it. */
int elm_link_table_follow(const elm_link_table *table, elm_link_taker take, void *context,
                          elm_error *err);

#endif
