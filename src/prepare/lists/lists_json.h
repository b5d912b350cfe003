/* JSON lists: annotations in the form of COCO. */
#ifndef ELMPI_PREPARE_LISTS_LISTS_JSON_H
#define ELMPI_PREPARE_LISTS_LISTS_JSON_H

#include "prepare/lists/list_entries.h"

/** The JSON part of elm_image_list_read; errors as there. */
int elm_image_json_read(elm_manifest *catalog, elm_class_names *names, const char *path, int split,
                        elm_rejects *report, elm_error *err);

#endif
