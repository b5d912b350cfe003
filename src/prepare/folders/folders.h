/* Image folders: without lists, what folders and archives mean. */
#ifndef ELMPI_PREPARE_FOLDERS_FOLDERS_H
#define ELMPI_PREPARE_FOLDERS_FOLDERS_H

#include "prepare/index_state.h"

/** Without lists: goes through the names in all archives and decides what the folders mean. */
int elm_image_folders_decide(elm_index_build *job, elm_error *err);

/** What stands in front of the paths of an archive: "", or "train/" where the archive is that
 * split. */
const char *elm_index_build_front(const elm_index_build *job, const char *archive,
                                  char front[IMAGE_FRONT_BYTES]);

#endif
