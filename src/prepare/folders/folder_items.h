/* Folder items: without lists, the image that a path means. */
#ifndef ELMPI_PREPARE_FOLDERS_FOLDER_ITEMS_H
#define ELMPI_PREPARE_FOLDERS_FOLDER_ITEMS_H

#include "prepare/index_state.h"

/** Without lists: the image that a path means, as elm_index_build_item. */
elm_image_item *elm_image_folders_item(elm_index_build *job, const char *path, int *status,
                                       elm_error *err);

#endif
